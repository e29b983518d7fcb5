/*
 * The facts artefacts built into the binary, byte for byte, newest first, each with its signature. A new date is a new file, signed, two new
 * .incbin and a new row; old ones stay, because policies pin them. residency/data/README.md says how to sign.
 */
#include "residency/facts_data.h"

#include "policy/base/embed.h"

GH_EMBED(gh_regions_2026_11_21, "residency/data/regions-2026-11-21.json");
GH_EMBED(gh_regions_2026_11_21_sig, "residency/data/regions-2026-11-21.json.sig");

/* The project's public keys. A key that is replaced stays: what it signed keeps its signature. */
static const unsigned char key_2026[32] = {
    0xca, 0x7b, 0x6f, 0x90, 0xcb, 0x4a, 0xb1, 0xbd, 0x17, 0x51, 0x16, 0x72, 0x14, 0x82, 0xfc, 0x65,
    0x93, 0x1c, 0x7b, 0x66, 0x6e, 0x61, 0x72, 0xbd, 0xbd, 0x85, 0x32, 0xef, 0x77, 0x30, 0x8e, 0x47
};

const gh_facts_data_t gh_facts_data[] = {
    { "regions/2026-11-21", gh_regions_2026_11_21_begin, gh_regions_2026_11_21_end, gh_regions_2026_11_21_sig_begin,
      key_2026 },
};

const size_t gh_facts_data_count = sizeof(gh_facts_data) / sizeof(gh_facts_data[0]);
