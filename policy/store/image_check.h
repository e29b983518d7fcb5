/* The checks of gh_image_open, in two steps: sections stand inside the bytes; then every entry, with image->count and pointers set. */
#ifndef GH_IMAGE_CHECK_H
#define GH_IMAGE_CHECK_H

#include "policy/store/image_format.h"

int gh_image_check_sections(const gh_image_t *image, gh_error_t *error);
int gh_image_check_entries(const gh_image_t *image, gh_error_t *error);

#endif
