"""Numbers and names in sentences."""

from cancernet.base.words import counted, images_of, some, unknown


def test_a_noun_follows_its_number():
    assert [counted(n, "image") for n in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert counted(1, "patch", "patches") == "1 patch"
    assert counted(12_345, "patch", "patches") == "12,345 patches"
    assert images_of(1, 1) == "1 image of 1 patient"
    assert images_of(2_000, 3, "source") == "2,000 images of 3 sources"


def test_the_first_names_and_how_many_more():
    assert some(["a", "b"], 2) == "a, b"
    assert some(list("abcd"), 2) == "a, b and 2 more"


def test_an_unknown_name_is_answered_with_the_nearest():
    known = ("mammography", "busi", "idc")
    said = "known are busi, idc, mammography"
    assert unknown("data set", "bussi", known) == (
        f"unknown data set 'bussi' (did you mean busi?); {said}"
    )
    assert unknown("data set", "xyz", known) == f"unknown data set 'xyz'; {said}"
