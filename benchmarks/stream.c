/* STREAM copy and triad (J. D. McCalpin) on large pages, each thread on memory it touched first.
   stream COUNT REPEATS prints the best rate of each in GB/s, as STREAM counts bytes. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static double *array(long count) {
    double *made = aligned_alloc(1 << 21, (count * sizeof(double) + (1 << 21) - 1) >> 21 << 21);
    if (!made) exit(1);
#ifdef MADV_HUGEPAGE
    madvise(made, count * sizeof(double), MADV_HUGEPAGE); /* as NumPy does for its arrays */
#endif
#pragma omp parallel for schedule(static)
    for (long i = 0; i < count; i++) made[i] = 1.0;
    return made;
}

int main(int given, char **arguments) {
    if (given != 3) return 2;
    long count = atol(arguments[1]), repeats = atol(arguments[2]);
    double *restrict a = array(count), *restrict b = array(count), *restrict c = array(count);
    double copy = 1e30, triad = 1e30, scale = 0.5;
    for (long turn = 0; turn < repeats; turn++) {
        double start = now();
#pragma omp parallel for schedule(static)
        for (long i = 0; i < count; i++) c[i] = a[i];
        double middle = now();
#pragma omp parallel for schedule(static)
        for (long i = 0; i < count; i++) a[i] = b[i] + scale * c[i];
        double end = now();
        if (middle - start < copy) copy = middle - start;
        if (end - middle < triad) triad = end - middle;
    }
    printf("%f %f %f\n", 16e-9 * count / copy, 24e-9 * count / triad, a[count / 2]);
    return 0;
}
