/* Text for people to read on paper: paragraphs wrapped at 100 columns. */
#ifndef GH_CLI_PARAGRAPH_H
#define GH_CLI_PARAGRAPH_H

#include "policy/base/str.h"

#define GH_CLI_COLUMNS 100

/*
 * Prints the text at `indent` columns, wrapped, further lines at `hang` columns. Lines break at single spaces only, so joining them with one
 * space gives the text back; a longer word than fits stands out. Columns are counted in UTF-8 characters.
 */
void gh_cli_paragraph(unsigned indent, unsigned hang, gh_str_t text);

#endif
