"""The names of countries, held against Debian's iso-codes."""

import json
import re

from conftest import ROOT

# Where people say something else than ISO 3166-1's inverted or long form.
OTHERWISE = {"CD": "Democratic Republic of the Congo", "FK": "Falkland Islands", "FM": "Micronesia", "MF": "Saint Martin",
             "PS": "Palestine", "RU": "Russia", "SX": "Sint Maarten", "VA": "Vatican City", "VG": "British Virgin Islands",
             "VI": "United States Virgin Islands"}


def names():
    """The table of the gateway: {code: name}."""
    codes = re.findall(r'"([A-Z]{2})"', (ROOT / "residency/places.c").read_text())
    table = (ROOT / "residency/country_names.c").read_text().split("{", 1)[1]
    return dict(zip(codes, re.findall(r'"([^"]+)"', table), strict=True))


def test_names_are_those_of_iso_3166():
    entries = json.load(open("/usr/share/iso-codes/json/iso_3166-1.json"))["3166-1"]
    iso = {entry["alpha_2"]: entry for entry in entries}
    ours = names()
    assert set(ours) == set(iso) and len(ours) == 249
    for code, name in ours.items():
        assert name == OTHERWISE.get(code, iso[code].get("common_name", iso[code]["name"])), code
    for code, name in OTHERWISE.items():
        words = re.findall(r"\w+", name.lower())
        known = re.findall(r"\w+", (iso[code]["name"] + " " + iso[code].get("official_name", "")).lower()) + ["city"]
        assert all(any(other.startswith(word) for other in known) for word in words), (code, words, known)


def test_names_can_be_read_back():
    ours = names()
    assert len(set(ours.values())) == 249 and not any(re.search(r"\([A-Z]{2}\)", name) for name in ours.values())
