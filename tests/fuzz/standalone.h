/* A fuzz target as a program over files, for compilers without libFuzzer and for replaying findings: -DFUZZ_STANDALONE. */
#ifndef GH_FUZZ_STANDALONE_H
#define GH_FUZZ_STANDALONE_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZ_STANDALONE

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        FILE    *file = fopen(argv[i], "rb");
        uint8_t *data;
        long     size;

        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        fseek(file, 0, SEEK_END);
        size = ftell(file);
        rewind(file);
        data = malloc(size != 0 ? (size_t) size : 1);
        size = (long) fread(data, 1, (size_t) size, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, (size_t) size);
        free(data);
    }

    printf("%d inputs\n", argc - 1);
    return 0;
}

#endif
#endif
