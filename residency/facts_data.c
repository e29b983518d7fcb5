/*
 * The facts artefacts built into the binary, byte for byte, newest first. A new date is a new file, a new
 * .incbin and a new row; old ones stay, because policies pin them.
 */
#include "residency/facts_data.h"

#define GH_EMBED(symbol, path)                    \
    __asm__(".section .rodata\n"                  \
            ".balign 16\n"                        \
            ".globl " #symbol "_begin\n"          \
            #symbol "_begin:\n"                   \
            ".incbin \"" path "\"\n"              \
            ".globl " #symbol "_end\n"            \
            #symbol "_end:\n"                     \
            ".byte 0\n"                           \
            ".previous\n")

GH_EMBED(gh_regions_2026_11_21, "residency/data/regions-2026-11-21.json");

extern const char gh_regions_2026_11_21_begin[] __attribute__((visibility("hidden")));
extern const char gh_regions_2026_11_21_end[] __attribute__((visibility("hidden")));

const gh_facts_data_t gh_facts_data[] = {
    { "regions/2026-11-21", gh_regions_2026_11_21_begin, gh_regions_2026_11_21_end },
};

const size_t gh_facts_data_count = sizeof(gh_facts_data) / sizeof(gh_facts_data[0]);
