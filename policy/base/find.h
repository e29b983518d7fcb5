/* The next byte that matters, sixteen at a time where the processor can: what lies between is most of a text. */
#ifndef GH_FIND_H
#define GH_FIND_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The first quote or backslash from p on; end when there is none. */
static inline const char *
gh_find_quote(const char *p, const char *end)
{
#ifdef __SSE2__
    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *) p);
        int     mask = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));

        if (mask != 0) {
            return p + __builtin_ctz((unsigned) mask);
        }
        p += 16;
    }
#endif

    while (p < end && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}

#endif
