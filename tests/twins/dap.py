"""An editor that speaks DAP, word by word: what it says and hears can be looked at singly."""

import editors


class Dap(editors.Dap):
    """An editor that is connected from the start, and remembers what it was asked itself."""

    def __init__(self, port, arguments):
        super().__init__(port, arguments)
        self.asked = []
        """What it was asked itself."""
        super().connect()

    def connect(self):
        """Do nothing: it is connected."""

    def wait_for_output(self, text):
        """Wait until something is said to the user."""
        while text not in (found := self.wait_for("output").get("output", "")):
            pass
        return found

    def refused(self, command, **arguments):
        """Ask for what is not granted, and return the words of the refusal."""
        seq = self._send(command, arguments)
        while seq not in self._answers:
            self._read()
        message = self._answers.pop(seq)
        assert not message["success"], message
        return message["message"]

    def ended(self):
        """Return whether the connection has ended, once it has nothing more to say."""
        try:
            while True:
                self._read()
        except AssertionError:
            return True

    def take(self, message):
        super().take(message)
        if message["type"] == "request":
            self.asked.append(message)
