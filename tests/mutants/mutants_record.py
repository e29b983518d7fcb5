"""Seeded faults of what the record writes once for many decisions, and of texts that are kept for it. mutants.py has the others."""
from mutant import Mutant

RECORD = [
    Mutant("basis-of-another-segment", "decisions refer to what was written once in the segment before",
           [("policy/audit/basis.c", "    if (bases->sequence != sequence) {", "    if (bases->sequence == UINT64_MAX) {")], ["unit:test_basis"]),
    Mutant("basis-that-was-not-written", "decisions refer to what was in a write that failed",
           [("policy/audit/record_later.c", "        gh_bases_forget(later->bases);\n    }\n    if (line == 0)", "    }\n    if (line == 0)")], ["unit:test_basis"]),
    Mutant("basis-of-a-number-like-it", "texts whose numbers end alike are taken for one",
           [("policy/audit/basis.c", " || kept->serial != serial) {", ") {")], ["unit:test_basis"]),
    Mutant("limits-kept-for-others", "the record says of a limit that it was left out because it was for somebody else",
           [("policy/quota/quota_record.c", "    key->left_out = quota->left_out & which;", "    key->left_out = 0;")], ["unit:test_quota_record"]),
    Mutant("verdict-kept-for-any-route", "the record has the route of another request of the same kind",
           [("policy/audit/record_verdict.c", "            && memcmp(route, decision->route, kept.count * sizeof(decision->route[0])) == 0)", "            )")], ["unit:test_cells"]),
    Mutant("verdict-kept-behind-another-route", "what is kept of a route is taken to begin before its last targets",
           [("policy/audit/record_verdict.c", "        text = (gh_str_t) { route + kept.count * sizeof(decision->route[0]), kept.len };",
             "        text = (gh_str_t) { route + kept.count * sizeof(decision->route[0]) - 4, kept.len };")], ["unit:test_cells"]),
    Mutant("verdict-kept-of-a-line-too-long", "what was abridged because it was too long takes the place of what the others of its kind have in words",
           [("policy/audit/record_verdict.c", " && abridged == gh_record_wordless(decision)) {", ") {")], ["unit:test_cells"]),
    Mutant("verdict-kept-without-its-route-more", "an abridged line's bitmaps are kept from another place on",
           [("policy/audit/record_verdict.c", "    record_route(w, request, abridged);\n    begin = w->len + w->comma;", "    begin = w->len + w->comma;\n    record_route(w, request, abridged);")],
           ["unit:test_cells"]),
    Mutant("basis-not-in-its-place", "a null in a string is taken for the place of a value",
           [("policy/audit/basis_read.c", "            p = string_end(p, stop);\n            continue;", "            p++;\n            continue;")], ["unit:test_basis"]),
    Mutant("basis-before-the-middle", "who reads on from the middle of a file does not know what stands before it",
           [("policy/audit/segment_read.c", "    if (reader->from != 0) {\n        reader_before(reader);\n    }\n", "")], ["unit:test_basis"]),
    Mutant("verify-takes-any-basis", "verify does not mind a decision that refers to nothing",
           [("policy/cli/audit_verify.c", "        if (reader.unknown) {", "        if (false) {")], ["cli:test_audit.py -k bases"]),
]
