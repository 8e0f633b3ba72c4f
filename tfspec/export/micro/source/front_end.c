/* From samples to features: what is kept of earlier samples, the power spectrum, and what is made of it. */

#include <math.h>
#include <string.h>

#include "tfspec_internal.h"

#define HALF (TFSPEC_FFT_LENGTH / 2)
#define QUARTER (TFSPEC_FFT_LENGTH / 4)

/* What is needed of earlier samples, and the next hop's. */
static int16_t heard[TFSPEC_LEAD_SAMPLES + TFSPEC_HOP_SAMPLES];

void tfspec_reset_front_end(void) {
    memset(heard, 0, sizeof heard);
    tfspec_reset_frames();
}

void tfspec_front_end(const int16_t *samples, float *features) {
    memcpy(heard + TFSPEC_LEAD_SAMPLES, samples, TFSPEC_HOP_SAMPLES * sizeof *heard);
    for (int32_t i = 0; i < TFSPEC_FRAMES; i++) {
        tfspec_frame(heard + TFSPEC_SKIPPED_SAMPLES + i * TFSPEC_FRAME_STEP, features + i * TFSPEC_BINS);
    }
    memmove(heard, heard + TFSPEC_HOP_SAMPLES, TFSPEC_LEAD_SAMPLES * sizeof *heard);
}

/* The turn by -2 pi k / TFSPEC_FFT_LENGTH, at most half a turn. */
static void turn(const float *sines, int32_t k, float *real, float *imaginary) {
    if (k <= QUARTER) {
        *real = sines[QUARTER - k];
        *imaginary = -sines[k];
    } else {
        *real = -sines[k - QUARTER];
        *imaginary = -sines[HALF - k];
    }
}

/* Put the windowed samples where a transform of HALF complex numbers, each of two samples, takes them: at the
   place whose number has the bits in reverse. */
static void load(const int16_t *samples, const float *window, float *z) {
    int32_t place = 0;
    for (int32_t i = 0; i < HALF; i++) {
        int32_t even = 2 * i, odd = even + 1;
        z[2 * place] = even < TFSPEC_FRAME_LENGTH ? (float)samples[even] * window[even] : 0.0f;
        z[2 * place + 1] = odd < TFSPEC_FRAME_LENGTH ? (float)samples[odd] * window[odd] : 0.0f;
        int32_t bit = HALF / 2;
        while (place & bit) {
            place ^= bit;
            bit /= 2;
        }
        place |= bit;
    }
}

static void transform(const float *sines, float *z) {
    for (int32_t half = 1; half < HALF; half *= 2) {
        for (int32_t i = 0; i < HALF; i += 2 * half) { /* the turn by nothing */
            float *a = z + 2 * i, *b = a + 2 * half;
            float real = b[0], imaginary = b[1];
            b[0] = a[0] - real;
            b[1] = a[1] - imaginary;
            a[0] += real;
            a[1] += imaginary;
        }
        for (int32_t j = 1; j < half; j++) {
            float cosine, sine;
            turn(sines, j * (HALF / half), &cosine, &sine);
            for (int32_t i = j; i < HALF; i += 2 * half) {
                float *a = z + 2 * i, *b = a + 2 * half;
                float real = b[0] * cosine - b[1] * sine, imaginary = b[0] * sine + b[1] * cosine;
                b[0] = a[0] - real;
                b[1] = a[1] - imaginary;
                a[0] += real;
                a[1] += imaginary;
            }
        }
    }
}

/* Tell the transform of the even samples from that of the odd ones, join them to the whole one, and square.
   Bin k and bin HALF - k are made of the same two complex numbers; their powers take the places of these. */
static void separate(const float *sines, float *z) {
    float last = 0.0f;
    for (int32_t k = 0; k <= QUARTER; k++) {
        float *a = z + 2 * k, *b = z + 2 * ((HALF - k) % HALF);
        float even_real = 0.5f * (a[0] + b[0]), even_imaginary = 0.5f * (a[1] - b[1]);
        float odd_real = 0.5f * (a[1] + b[1]), odd_imaginary = 0.5f * (b[0] - a[0]);
        float cosine, sine;
        turn(sines, k, &cosine, &sine);
        float real = odd_real * cosine - odd_imaginary * sine;
        float imaginary = odd_real * sine + odd_imaginary * cosine;
        float sum_real = even_real + real, sum_imaginary = even_imaginary + imaginary;
        float difference_real = even_real - real, difference_imaginary = even_imaginary - imaginary;
        float mirrored = difference_real * difference_real + difference_imaginary * difference_imaginary;
        if (k == 0) {
            last = mirrored;
        } else {
            b[0] = mirrored;
        }
        a[0] = sum_real * sum_real + sum_imaginary * sum_imaginary;
    }
    for (int32_t k = 1; k < HALF; k++) {
        z[k] = z[2 * k];
    }
    z[HALF] = last;
}

void tfspec_power_spectrum(const int16_t *samples, const float *window, const float *sines, float *scratch) {
    load(samples, window, scratch);
    transform(sines, scratch);
    separate(sines, scratch);
}

void tfspec_raise(float *x, int32_t count, float exponent) {
    for (int32_t i = 0; i < count; i++) {
        if (exponent == 0.5f) {
            x[i] = sqrtf(x[i]);
        } else {
            x[i] = x[i] > 1e-37f ? tfspec_exp(exponent * tfspec_log(x[i])) : 0.0f;
        }
    }
}

void tfspec_gather(const float *x, float *y, int32_t count, const uint16_t *firsts, const uint16_t *counts,
                   const float *weights) {
    for (int32_t i = 0; i < count; i++) {
        const float *taken = x + firsts[i];
        float sum = 0.0f;
        for (int32_t j = 0; j < counts[i]; j++) {
            sum += taken[j] * *weights++;
        }
        y[i] = sum;
    }
}

void tfspec_multiply(const float *x, int32_t width, float *y, int32_t count, const float *weights) {
    for (int32_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (int32_t j = 0; j < width; j++) {
            sum += x[j] * *weights++;
        }
        y[i] = sum;
    }
}

void tfspec_mean_together(const float *x, float *y, int32_t count, int32_t together) {
    for (int32_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (int32_t j = 0; j < together; j++) {
            sum += x[i * together + j];
        }
        y[i] = sum / (float)together;
    }
}

void tfspec_level(float *x, int32_t count, float offset, float floor, float factor, float addend) {
    for (int32_t i = 0; i < count; i++) {
        float value = x[i] + offset;
        x[i] = factor * tfspec_log(value > floor ? value : floor) + addend;
    }
}

void tfspec_fill(float *x, int32_t count, float value) {
    for (int32_t i = 0; i < count; i++) {
        x[i] = value;
    }
}

void tfspec_normalise(float *x, float *mean, int32_t count, float scale, float coefficient, float floor,
                      float gain, float bias, float power, float addend) {
    for (int32_t i = 0; i < count; i++) {
        float energy = x[i] * scale;
        mean[i] += coefficient * (energy - mean[i]);
        x[i] = energy * tfspec_exp(-gain * tfspec_log(floor + mean[i])) + bias;
    }
    tfspec_raise(x, count, power);
    tfspec_rescale(x, count, 1.0f, -addend);
}

void tfspec_rescale(float *x, int32_t count, float factor, float addend) {
    for (int32_t i = 0; i < count; i++) {
        x[i] = x[i] * factor + addend;
    }
}
