/* A file's bytes in the program: the build reads it, nothing is generated. */
#ifndef GH_EMBED_H
#define GH_EMBED_H

/* Defines symbol_begin and symbol_end (one past the last byte; a NUL stands there). path: from the project root. At file scope. */
#define GH_EMBED(symbol, path)                    \
    __asm__(".section .rodata\n"                  \
            ".balign 16\n"                        \
            ".globl " #symbol "_begin\n"          \
            #symbol "_begin:\n"                   \
            ".incbin \"" path "\"\n"              \
            ".globl " #symbol "_end\n"            \
            #symbol "_end:\n"                     \
            ".byte 0\n"                           \
            ".previous\n");                       \
    extern const char symbol##_begin[] __attribute__((visibility("hidden"))); \
    extern const char symbol##_end[] __attribute__((visibility("hidden")))

#endif
