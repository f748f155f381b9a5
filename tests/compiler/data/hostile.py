"""Hostile dev configs, made by the rule: a family is a shape of attack, its members grow. Never imported, only run."""

from __future__ import annotations


def corpus() -> dict[str, bytes]:
    """Return at least 200 files by name; every one of them must be refused, none may cost time or memory."""
    cases: dict[str, bytes] = {}

    def add(name: str, *bodies: str | bytes) -> None:
        for number, body in enumerate(bodies, start=1):
            cases[f"{name}-{number:02d}"] = body if isinstance(body, bytes) else body.encode()

    good = "version: 1\nservices:\n  web:\n    image: x\n"
    sizes = (70, 300, 1000, 3000, 30_000, 120_000)

    # Bombs: lists of aliases to lists of aliases, wide and thin, in flow and block, through mappings and merges.
    for width, levels in ((10, 4), (9, 9), (5, 19), (2, 45), (3, 30), (20, 4), (33, 3)):
        flow = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        block = ["a0: &a0", *["  - x"] * 10]
        maps = ["a0: &a0 {k: v, l: v, m: v, n: v, o: v, p: v, q: v, r: v}"]
        for level in range(1, levels):
            alias = f"*a{level - 1}"
            flow.append(f"a{level}: &a{level} [{', '.join([alias] * width)}]")
            block += [f"a{level}: &a{level}", *[f"  - {alias}"] * width]
            maps.append(f"a{level}: &a{level} {{{', '.join(f'k{n}: {alias}' for n in range(width))}}}")
        add(f"bomb-{width}x{levels}", "\n".join(flow), "\n".join(block), "\n".join(maps), good + "\n".join(flow))
    big = "y" * 60_000
    add("text-bomb", *(f"a: &a {big}\nb: [{', '.join(['*a'] * count)}]\n" for count in (40, 99, 5000)))
    add("key-value-bomb", f"a: &a {{k: {big}}}\nb: [{', '.join(['*a'] * 99)}]\n")

    # Depth.
    for size in sizes:
        add(
            f"depth-{size}",
            "a: " + "[" * size,
            "a: " + "[" * size + "]" * size,
            "a: " + "{a: " * (size // 3),
            "- " * size + "x",
            "".join(" " * level + "k:\n" for level in range(min(size, 500))),
            "a: " + "[{a: " * (size // 4) + "x",
            "? " * size + "x",
        )
    chain = ["a0: &a0 " + "[" * 30 + "]" * 30]
    chain += [f"a{n}: &a{n} " + "[" * 30 + f"*a{n - 1}" + "]" * 30 for n in range(1, 60)]
    add("depth-through-aliases", "\n".join(chain))

    # Width.
    add("flow-list", "a: [" + "1," * 100_000 + "1]", "a: [" + "1, " * 80_000, "[" + "x," * 40_000 + "]")
    add("block-list", "a:\n" + "- x\n" * 50_000, "- x\n" * 30_000, "a:\n" + "-\n" * 100_000)
    add("flow-map", "a: {" + ",".join(f"k{n}: v" for n in range(15_000)) + "}")
    add("block-map", "".join(f"k{n}: v\n" for n in range(15_000)))
    add("empty-collections", "a: [" + "[]," * 70_000 + "]", "a: [" + "{}," * 70_000 + "]")
    add("too-large", "a: " + "x" * 262_144, b"#" * 10_000_000, "a: '" + "x\n" * 3_000_000, b"\x00" * 10_000_000)
    add("too-large-flow", "a: [" + "1," * 5_000_000 + "1]", "[" * 10_000_000, "a: b\n" * 2_000_000)

    # Keys.
    add("duplicate", good + "version: 2\n", "a: 1\n" * 9000, "a: 1\n" * 100_000, "{" + "a: 1," * 9000 + "}")
    add("duplicate-nested", "s: {a: {b: 1, b: 2}}", "s:\n- a: 1\n  a: 2\n", "a: 1\n'a': 2\n", '"a": 1\n"\\x61": 2\n')
    add("key", "1: a", "true: a", "null: a", "~: a", ": a", "1.5: a", "0x1f: a", "[a]: b", "{a: b}: c", ".inf: a")
    add("complex-key", "? [a, b]\n: c", "? {a: b}\n: c", "? |\n  a\n: b\n? 1\n: 2", "? &a [x]\n: *a", "s: {? [a] : b}")
    add("alias-key", "a: &a x\n*a : y", "a: &a [x]\n*a : y", "s: {&a a: 1, b: {*a : 2}}")

    add("complex-key-deep", "? [" + "k" * 120_000 + "]\n: a", "? ? ? ? a\n: b", "{? a, ? [b]: c}")
    add("key-number", "1e999999999: a", "9" * 5000 + ": a", "0x" + "f" * 5000 + ": a", "s: {.nan: a}")

    # Merge keys.
    fold = "a: &a {" + ", ".join(f"k{n}: v" for n in range(500)) + "}\n"
    add("merge-fold", *(fold + f"b: {{<<: [{', '.join(['*a'] * count)}]}}\n" for count in (50, 100, 2000)))
    nest = ["m0: &m0 {" + ", ".join(f"k{n}: v" for n in range(100)) + "}"]
    nest += [f"m{n}: &m{n} {{<<: *m{n - 1}, x{n}: y}}" for n in range(1, 99)]
    add("merge-chain", "\n".join(nest), "\n".join(f"{line}\nn{at}: [*m{at}]" for at, line in enumerate(nest)))
    add("merge-wrong", "<<: 1", "<<: [1]", "<<: [[a]]", "<<:", "<<: []", "a: {<<: x}", "<<: {a: 1}\n<<: {b: 2}")
    add("merge-recursive", "a: &a {<<: *a}", "a: &a {b: {<<: *a}}", "a: &a\n  <<: [*a]", "&a <<: *a")

    wide = ["w0: &w0 {" + ", ".join(f"k{n}: v" for n in range(60)) + "}"]
    wide += [f"w{n}: &w{n} {{<<: [{', '.join([f'*w{n - 1}'] * 9)}], x{n}: y}}" for n in range(1, 12)]
    add("merge-bomb", "\n".join(wide), good + "\n".join(wide), "\n".join(wide) + "\nz: {<<: [*w11, *w10, *w9]}")
    grown = ["g0: &g0 {a: 1}"] + [f"g{n}: &g{n} {{<<: *g{n - 1}, l: *g{n - 1}, r: *g{n - 1}}}" for n in range(1, 30)]
    add("merge-and-share", "\n".join(grown), "\n".join(grown).replace("<<: ", "m: "))

    # Anchors and aliases.
    add("recursive", "a: &a [*a]", "a: &a {b: *a}", "&a a: *b", "a: &a\n- b: &b\n  - *a\n", "&r {a: *r}")
    add("unknown-alias", "a: *b", "a: [*b, &b x]", "*a : b", "a: *b\nb: &b x")
    add(
        "aliases",
        "a: &a x\nb: [" + "*a, " * 101 + "]",
        "a: &a x\nb: [" + "*a, " * 9000 + "]",
        "- &a x\n" + "- *a\n" * 9,
    )
    add("anchors", "a: [" + ", ".join(f"&a{n} x" for n in range(25_000)) + "]", "a: &" + "x" * 200_000 + " *y")
    add(
        "anchors-many",
        "a:\n" + "".join(f"- &a{n} x\n" for n in range(100_000)),
        "".join(f"k{n}: &a{n}\n" for n in range(20_000)),
    )
    add("alias-loop", "a: &a {b: &b {c: *a, d: *b}}", "&a [&b [*a, *b]]", "a: &a\n  b: &b\n    - *b\n    - *a\n")
    add("anchor-syntax", "a: &", "a: & b", "a: *", "a: &a &b c", "a: &a *a", "a: *a b")

    # Encodings.
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        add(f"encoding-{name}", good.encode(name), ("# é\n" + good).encode(name))
    add("latin-1", b"a: caf\xe9", b"\xe9: 1", good.encode() + b"# \xff", b"a: \x80", b"a: '\xc0\x80'")
    add("bad-utf-8", b"a: \xed\xa0\x80", b"a: \xf4\x90\x80\x80", b"a: \xf0\x9f\x98", b"a: \xe2\x82", b"\xbf" * 200_000)
    add("mark-inside", "a: \ufeffb", "\ufeff\ufeffa: b", "a: b\n\ufeffc: d")

    # Characters.
    for character in (0, 1, 7, 8, 11, 12, 14, 27, 31, 127, 0x80, 0x85, 0x9F, 0x2028, 0x2029, 0xFFFE, 0xFFFF):
        add(f"character-{character:04x}", good + f"x: a{chr(character)}b\n", f"# here: {chr(character)}\n{good}")
    add("nul", b"\x00", b"a: b\x00", b"\x00" * 100_000, b"a: '\x00'\n")
    add("surrogate-escape", 'a: "\\ud800"', 'a: "\\udc00\\ud800"', 'a: "\\U00110000"', 'a: "\\xzz"')

    add(
        "mark-everywhere",
        "\ufeff" * 1000,
        "a: b\n" + "\ufeff" * 100_000,
        "a:\n- \ufeffb\n",
        good.replace("web", "\ufeffweb"),
    )
    add("escape", "a: \x1b[2J", "a: \x1b]0;x\x07", "\x1b[31mkey: a", 'a: "\\e[2J" b', "a: \x9b2J")

    # Tabs.
    add(
        "tab",
        "a:\n\tb: 1",
        "\ta: 1",
        "a: 1\n\tb: 2",
        "a:\n  - b\n\t- c",
        "a: |\n\tb",
        "a:\n  b: 1\n\tc: 2",
        "a:\n \t- b",
    )

    # Tags.
    for tag in ("!!python/object/apply:os.system [id]", "!!python/name:os.system", "!!str 1", "!!binary aGk=", "!x y"):
        add(f"tag-{tag.split()[0].strip('!').replace('/', '-')}", f"a: {tag}", f"{tag}: a", f"a: [{tag}]")
    add("tag-odd", "! a", "a: ! b", "a: !<tag:x> b", "a: !<x", "a: !h!x y", "!!map {a: b}", "a: !!set {b}", "!" * 1000)
    add("tag-long", "a: !" + "x" * 200_000 + " b", "a: !" + "%41" * 60_000 + " b")

    # Directives.
    add(
        "directive",
        "%YAML 1.1\n---\na: b",
        "%YAML 2.0\n---\na: b",
        "%YAML 1.2\n%YAML 1.2\n---\na: b",
        "%FOO\n---\na: b",
    )
    add("directive-tag", "%TAG ! tag:x,\n---\na: !b c", "%TAG !e! tag:x,\n---\na: b", "%TAG\n---\na: b")
    many = "".join(f"%TAG !a{n}! tag:x,\n" for n in range(10_000))
    add("directive-many", many + "---\na: b", "# c\n" + many + "---\na: b", "%YAML 1.2\n#\n" + many + "---\na: b")
    add("directive-cr", many.replace("\n", "\r") + "---\ra: b", "a: b\n...\n" + many + "---\na: b")
    add("directive-number", "%YAML 1." + "2" * 100_000 + "\n---\na: b", "%YAML 1\n---\na: b", "%YAML\n---\na: b")

    # Streams.
    add("documents", good + "---\n" + good, "---\n" * 50_000, good + "...\n---\n", "a: b\n--- c\n", "--- a\n--- b\n")
    add(
        "not-a-mapping",
        "",
        "\n\n",
        "# only words\n",
        "---\n",
        "- a\n",
        "a",
        "42",
        "[]",
        "'a: b'",
        "|\n a: b\n",
        "null",
        "...",
    )

    # Syntax.
    add("unclosed", "a: [", "a: {", "a: 'x", 'a: "x', "a: [1, {b: [", "a: {b: c", "a: [b\nc: d", "a: {b: c\nd: e")
    add(
        "syntax",
        "a: b: c",
        "a\nb: c",
        "a: 'it's'",
        "a: @b",
        "a: `b`",
        "a: %b",
        'a: "\\d"',
        "a: - b",
        "a: b\n c: d",
        "}",
    )
    add("indent", "a:\n  b: 1\n c: 2", "a:\n - b\nc\n", " a: 1\nb: 2", "a: 1\n  b: 2", "- a\nb: c", "a: |9999\n x")
    add("long-key", "x" * 2000, "x" * 2000 + ": y", "'" + "x" * 2000 + "': a", "a b " * 50_000 + ": c")
    add("open-text", "a: '" + "x" * 200_000, 'a: "' + "\\" * 99_999, "a: '" + "'" * 200_000, 'a: "' + "\\n" * 99_999)
    return cases
