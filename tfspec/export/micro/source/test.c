/* Holds the library to what Keras and TensorFlow Lite for Microcontrollers said of real hops. */

#include <math.h>
#include <stdio.h>

#include "test_vectors.h"
#include "tfspec.h"
#include "tfspec_internal.h"

#define FEATURES (TFSPEC_FRAMES * TFSPEC_BINS)

/* The sum of squared differences, in steps of the network's input: in a band that is nearly silent the
   logarithm makes much of the last bits, and one feature alone may be far off in Keras and here. */
static float squares(const float *x, const float *expected) {
    float sum = 0.0f;
    for (int i = 0; i < FEATURES; i++) {
        float steps = (x[i] - expected[i]) / TFSPEC_FEATURE_SCALE;
        sum += steps * steps;
    }
    return sum;
}

/* The largest difference; once there is one that is no number, that. */
static float largest(float largest_yet, const float *x, const float *expected, int count) {
    for (int i = 0; i < count && !isnan(largest_yet); i++) {
        float difference = fabsf(x[i] - expected[i]);
        largest_yet = difference <= largest_yet ? largest_yet : difference;
    }
    return largest_yet;
}

int main(void) {
    static float features[FEATURES], probabilities[TFSPEC_CLASSES];
    static int8_t quantized[FEATURES], logits[TFSPEC_CLASSES];
    float feature_squares = 0.0f, feature_error, probability_error = 0.0f;
    int logit_error = 0, failed;
    tfspec_reset();
    for (int hop = 0; hop < TEST_HOPS; hop++) {
        const float *expected_features = test_features + hop * FEATURES;
        const int8_t *expected_logits = test_logits + hop * TFSPEC_CLASSES;
        tfspec_front_end(test_samples + hop * TFSPEC_HOP_SAMPLES, features);
        feature_squares += squares(features, expected_features);
        tfspec_quantize(expected_features, quantized);
        tfspec_network(quantized, logits);
        for (int i = 0; i < TFSPEC_CLASSES; i++) {
            int difference = logits[i] - expected_logits[i];
            difference = difference < 0 ? -difference : difference;
            logit_error = difference > logit_error ? difference : logit_error;
        }
        tfspec_probabilities(expected_logits, probabilities);
        probability_error = largest(probability_error, probabilities,
                                    test_probabilities + hop * TFSPEC_CLASSES, TFSPEC_CLASSES);
    }
    feature_error = sqrtf(feature_squares / (TEST_HOPS * FEATURES));
    failed = !(feature_error <= TEST_FEATURE_TOLERANCE && logit_error <= TEST_LOGIT_TOLERANCE &&
               probability_error <= TEST_PROBABILITY_TOLERANCE);
    printf("%d hops: features differ by %.1e steps, logits by %d steps, probabilities by %.1e: %s\n", TEST_HOPS,
           (double)feature_error, logit_error, (double)probability_error, failed ? "FAILED" : "passed");
    return failed;
}
