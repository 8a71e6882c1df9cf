// What becomes of an embedding and a few hundred scores after each encoder run. In numpy that is a
// dozen calls, which take 150 us when the encoder has just emptied the caches; here it is three.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace saccade {

// The first of `rows` rows of `n` with a nan or an infinity; -1 where all are finite.
std::ptrdiff_t first_not_finite(const float* values, std::size_t rows, std::size_t n);

// softmax(scale * scores), in place.
void softmax(float* scores, std::size_t n, float scale);

// The `top` highest scores, or all where there are fewer, with their places: best first, equal ones
// in their order.
std::vector<std::pair<std::uint32_t, float>> best(const float* scores, std::size_t n,
                                                  std::size_t top);

}  // namespace saccade
