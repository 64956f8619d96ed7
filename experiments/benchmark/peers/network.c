/* Mini-batch gradient descent for a network of sigmoids with squared error, one example after the other.

   `params` holds for each layer its weights (n_out, n_in), then its biases (n_out,); `gradient` likewise. `a` and
   `delta` hold one number for each neuron, from the pixels to the outputs. The inner loops run along rows of weights
   and become vector instructions without -ffast-math, as they change the order of no sum. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* y <- y + c x */
static inline void add(int64_t n, float c, const float *restrict x, float *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += c * x[i];
}

/* The sum of x y: sixteen sums side by side, then the sum of those. */
static inline float dot(int n, const float *restrict x, const float *restrict y)
{
    float sums[16] = {0}, sum = 0;
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++)
            sums[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sum += x[i] * y[i];
    for (int k = 0; k < 16; k++)
        sum += sums[k];
    return sum;
}

/* a <- sigmoid(w a + b), layer after layer; `a` begins with the image. */
static void forward(int layers, const int *sizes, const float *params, float *a)
{
    for (int layer = 0; layer < layers; layer++) {
        int n_in = sizes[layer], n_out = sizes[layer + 1];
        const float *w = params, *b = w + n_in * n_out;
        float *next = a + n_in;
        for (int j = 0; j < n_out; j++)
            next[j] = 1 / (1 + expf(-dot(n_in, w + j * n_in, a) - b[j]));
        params = b + n_out;
        a = next;
    }
}

/* Adds one example's gradient. It goes from the last layer to the first, so all pointers but `target` are to ends. */
static void backward(int layers, const int *sizes, const float *params, const float *a, float *delta,
                     const float *target, float *gradient)
{
    int n_out = sizes[layers];
    a -= n_out;
    delta -= n_out;
    for (int j = 0; j < n_out; j++)
        delta[j] = 2 * (a[j] - target[j]) * a[j] * (1 - a[j]);
    for (int layer = layers - 1; layer >= 0; layer--) {
        int n_in = sizes[layer];
        n_out = sizes[layer + 1];
        params -= (n_in + 1) * n_out;
        gradient -= (n_in + 1) * n_out;
        a -= n_in;
        for (int j = 0; j < n_out; j++)
            add(n_in, delta[j], a, gradient + j * n_in);
        add(n_out, 1, delta, gradient + n_in * n_out);
        if (layer > 0) { /* the pixels need no delta */
            const float *after = delta;
            delta -= n_in;
            memset(delta, 0, n_in * sizeof *delta);
            for (int j = 0; j < n_out; j++)
                add(n_in, after[j], params + j * n_in, delta);
            for (int i = 0; i < n_in; i++)
                delta[i] *= a[i] * (1 - a[i]);
        }
    }
}

/* Visits the m examples of `order`, `batch_size` of them for each step w <- w - rate dC/dw. */
void train(int layers, const int *sizes, float *params, float *gradient, float *a, float *delta, const float *images,
           const float *targets, const int64_t *order, int64_t m, int64_t batch_size, float rate)
{
    int64_t n_in = sizes[0], n_out = sizes[layers], neurons = n_in, n_params = 0;
    for (int layer = 0; layer < layers; layer++) {
        neurons += sizes[layer + 1];
        n_params += (sizes[layer] + 1) * sizes[layer + 1];
    }
    for (int64_t start = 0; start < m; start += batch_size) {
        int64_t n = m - start < batch_size ? m - start : batch_size;
        memset(gradient, 0, n_params * sizeof *gradient);
        for (int64_t k = start; k < start + n; k++) {
            memcpy(a, images + order[k] * n_in, n_in * sizeof *a);
            forward(layers, sizes, params, a);
            backward(layers, sizes, params + n_params, a + neurons, delta + neurons, targets + order[k] * n_out,
                     gradient + n_params);
        }
        add(n_params, -rate / n, gradient, params);
    }
}

/* The squared error of n examples, and how many of them have their largest output where their target has its own. */
void evaluate(int layers, const int *sizes, const float *params, float *a, const float *images, const float *targets,
              int64_t n, double *cost, int64_t *right)
{
    int64_t n_in = sizes[0], n_out = sizes[layers], neurons = n_in;
    for (int layer = 0; layer < layers; layer++)
        neurons += sizes[layer + 1];
    *cost = 0;
    *right = 0;
    for (int64_t k = 0; k < n; k++) {
        const float *target = targets + k * n_out, *output = a + neurons - n_out;
        int64_t largest = 0, label = 0;
        memcpy(a, images + k * n_in, n_in * sizeof *a);
        forward(layers, sizes, params, a);
        for (int64_t j = 0; j < n_out; j++) {
            float error = output[j] - target[j];
            *cost += error * error;
            largest = output[j] > output[largest] ? j : largest;
            label = target[j] > target[label] ? j : label;
        }
        *right += largest == label;
    }
}
