/* Two texts, line by line, as a unified diff. */
#ifndef GH_CLI_LINE_DIFF_H
#define GH_CLI_LINE_DIFF_H

#include "policy/cli/cli.h"

/*
 * The hunks ("@@ -1,3 +1,4 @@", lines beginning with " ", "-" or "+", three lines around each change), empty when the texts are equal. By
 * Myers, "An O(ND) Difference Algorithm" (1986); where more than some thousand lines differ, all between the first and the last of them
 * is said to be replaced. Control bytes become ".". Arena-owned and NUL-terminated; data NULL when out of memory.
 */
gh_str_t gh_cli_line_diff(gh_arena_t *arena, gh_str_t before, gh_str_t after);

#endif
