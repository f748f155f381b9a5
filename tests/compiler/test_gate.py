"""Events pass while they keep the limits: the last that is fine passes, the next does not, aliases counted in full."""

import pytest

from devcfg.compiler.gate import Gate
from devcfg.compiler.limits import CONFIG, CONFIG_ALIASES, CONFIG_NODES, FREE_NODES, UnreadableError


def code(text):
    wrong = []
    try:
        Gate(text, "f", wrong).events()
    except UnreadableError as refused:
        return refused.diagnostic.code
    return wrong[0].code if wrong else None


@pytest.mark.parametrize(
    ("fine", "wrong", "expected"),
    [
        ("[" * CONFIG.depth + "]" * CONFIG.depth, "[" * (CONFIG.depth + 1) + "]" * (CONFIG.depth + 1), "too-deep"),
        ("- a\n" * (CONFIG_NODES - 1), "- a\n" * CONFIG_NODES, "too-many-nodes"),
        ("- &a b\n" + "- *a\n" * CONFIG_ALIASES, "- &a b\n" + "- *a\n" * (CONFIG_ALIASES + 1), "too-many-aliases"),
        ("- &a b\n- *a\n", "- *a\n- &a b\n", "unknown-alias"),
        ("- &a [b]\n- *a\n", "- &a [*a]\n", "recursive-alias"),
        ("--- a\n", "--- a\n--- b\n", "several-documents"),
        ("%YAML 1.2\n--- a\n", "%YAML 1.1\n--- a\n", "directive"),
        ("a: b\n", "a: !!str b\n", "explicit-tag"),
    ],
)
def test_the_last_that_is_fine_passes_and_the_next_does_not(fine, wrong, expected):
    assert (code(fine), code(wrong)) == (None, expected)


def doubling(times):
    return "- &a0 [x, x]\n" + "".join(f"- &a{n + 1} [*a{n}, *a{n}]\n" for n in range(times))


def test_aliases_of_aliases_count_for_all_that_they_stand_for():
    most = FREE_NODES.bit_length() - 4

    assert code(doubling(most)) is None
    assert code(doubling(20)) == "alias-expansion"


def test_long_texts_count_by_their_characters():
    text = "x" * 5000

    assert code(f"- &a {text}\n" + "- *a\n" * 10) is None
    assert code(f"- &a {text}\n" + "- *a\n" * 50) == "alias-expansion"


def test_an_alias_is_as_deep_as_what_it_stands_for():
    half = CONFIG.depth // 2
    deep = f"- &a {'[' * half}{']' * half}\n"

    assert code(deep + "- " + "[" * (half - 2) + "*a" + "]" * (half - 2) + "\n") is None
    assert code(deep + "- " + "[" * half + "*a" + "]" * half + "\n") == "too-deep"


def test_an_anchor_that_is_given_again_means_the_new_value():
    assert code("- &a [x]\n- &a y\n- *a\n") is None
