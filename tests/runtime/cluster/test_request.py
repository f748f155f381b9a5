"""What goes over the wire is what the server's own encoder would have written."""

import json

from devcfg.runtime.cluster.request import encoded


def test_a_body_is_escaped_as_the_server_escapes_its_own_copy():
    assert encoded(["a && b", "<x>", "é\u2028"]) == b'["a \\u0026\\u0026 b","\\u003cx\\u003e","\xc3\xa9\\u2028"]'


def test_a_body_still_says_what_it_said():
    body = {"command": ["sh", "-c", 'cat <a >b && echo "\\u0026" \u2029'], "names": ["ü", "日本"]}

    assert json.loads(encoded(body)) == body
