"""The client's end of the link: frames over any byte stream, requests and their answers, reconnecting.

Its other end is `runtime/pod/agent`. Nothing here knows what is synced or why.
"""
