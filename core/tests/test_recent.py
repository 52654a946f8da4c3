from lynkr_core.stores import Recent


def test_it_is_bounded():
    recent: Recent[tuple[str, int], str] = Recent(most=3, size=100)
    for number in range(10):
        recent.set(("a", number), "x", 40)
    assert len(recent) == 2
    assert recent.get(("a", 9)) == "x"
    assert recent.get(("a", 1)) is None
    recent.set(("a", 11), "larger than all", 500)
    assert recent.get(("a", 11)) is None


def test_what_was_not_used_for_the_longest_is_forgotten():
    recent: Recent[str, int] = Recent(2)
    recent.set("a", 1)
    recent.set("b", 2)
    assert recent.get("a") == 1
    recent.set("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
    recent.set("a", 4)
    recent.set("d", 5)
    assert [recent.get(key) for key in "acd"] == [4, None, 5]


def test_what_was_taken_out_leaves_its_room():
    recent: Recent[str, str] = Recent(9, size=10)
    recent.set("a", "x", 8)
    recent.set("a", "y", 6)
    assert (recent.pop("a"), recent.pop("a"), len(recent)) == ("y", None, 0)
    recent.set("b", "x", 5)
    recent.set("c", "x", 5)
    assert len(recent) == 2
