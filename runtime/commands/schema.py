"""`devcfg schema`: the JSON Schema for editors. Never anything but what the blocks say."""

from __future__ import annotations

from devcfg.runtime import console
from devcfg.schemas.patch import Json


def schema(output: str | None) -> int:
    """Print the schema, or write it to a file, and return the exit code."""
    from devcfg.schemas.reference import json_schema

    text = as_text(json_schema())
    if output is None or output == "-":
        console.data(text)
        return 0
    from devcfg.runtime.files import write_atomically

    write_atomically(output, text)
    console.say(f"wrote {output}; editors find it by the first line of a config:")
    console.say(f"# yaml-language-server: $schema={output}")
    return 0


def as_text(value: dict[str, Json]) -> str:
    """Return the schema as it is committed."""
    import json

    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
