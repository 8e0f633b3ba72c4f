/* A hop from its samples to its probabilities. */

#include "tfspec.h"
#include "tfspec_internal.h"

#define LOWEST ((float)(-128 - TFSPEC_FEATURE_ZERO))
#define HIGHEST ((float)(127 - TFSPEC_FEATURE_ZERO))

void tfspec_reset(void) {
    tfspec_reset_front_end();
    tfspec_reset_network();
    tfspec_reset_detector();
}

void tfspec_step(const int16_t *samples, float *probabilities) {
    static float features[TFSPEC_FRAMES * TFSPEC_BINS];
    static int8_t quantized[TFSPEC_FRAMES * TFSPEC_BINS];
    static int8_t logits[TFSPEC_CLASSES];
    tfspec_front_end(samples, features);
    tfspec_quantize(features, quantized);
    tfspec_network(quantized, logits);
    tfspec_probabilities(logits, probabilities);
}

void tfspec_quantize(const float *features, int8_t *quantized) {
    for (int32_t i = 0; i < TFSPEC_FRAMES * TFSPEC_BINS; i++) {
        float x = features[i] / TFSPEC_FEATURE_SCALE;
        x = x < LOWEST ? LOWEST : x > HIGHEST ? HIGHEST : x;
        quantized[i] = (int8_t)((int32_t)(x < 0.0f ? x - 0.5f : x + 0.5f) + TFSPEC_FEATURE_ZERO);
    }
}

void tfspec_probabilities(const int8_t *logits, float *probabilities) {
    int8_t highest = logits[0];
    float sum = 0.0f;
    for (int32_t i = 1; i < TFSPEC_CLASSES; i++) {
        highest = logits[i] > highest ? logits[i] : highest;
    }
    for (int32_t i = 0; i < TFSPEC_CLASSES; i++) {
        if (TFSPEC_SEVERAL_AT_ONCE) {
            float logit = TFSPEC_LOGIT_SCALE * (float)(logits[i] - TFSPEC_LOGIT_ZERO);
            float small = tfspec_exp(logit < 0.0f ? logit : -logit);
            probabilities[i] = (logit < 0.0f ? small : 1.0f) / (1.0f + small);
        } else {
            probabilities[i] = tfspec_exp(TFSPEC_LOGIT_SCALE * (float)(logits[i] - highest));
            sum += probabilities[i];
        }
    }
    for (int32_t i = 0; i < TFSPEC_CLASSES && !TFSPEC_SEVERAL_AT_ONCE; i++) {
        probabilities[i] /= sum;
    }
}
