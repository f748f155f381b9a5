"""What runs inside the pod, shipped as readable text: the agent and the supervisor. Imports nothing else of ours."""
