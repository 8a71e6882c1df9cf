#include "ranking.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace saccade {

std::ptrdiff_t first_not_finite(const float* values, std::size_t rows, std::size_t n) {
  for (std::size_t row = 0; row < rows; ++row) {
    float sum = 0;  // stays 0 unless something is not finite
    for (std::size_t i = 0; i < n; ++i) sum += 0 * values[row * n + i];
    if (sum != 0) return static_cast<std::ptrdiff_t>(row);
  }
  return -1;
}

void softmax(float* scores, std::size_t n, float scale) {
  if (n == 0) return;
  const float highest = *std::max_element(scores, scores + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    scores[i] = std::exp(scale * (scores[i] - highest));
    sum += scores[i];
  }
  const auto share = static_cast<float>(1 / sum);
  for (std::size_t i = 0; i < n; ++i) scores[i] *= share;
}

namespace {

// How far ahead of its use a row is asked for: the processor does so by itself, but not into the
// next page.
constexpr std::size_t kAhead = 1024;

// Four sums at a time, four times, as all processors can that are supported. A plain loop became a
// mixture of threes and ones in GCC 12, of thrice the time.
using Four = float __attribute__((vector_size(16)));

Four load(const float* from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

float dot(const float* a, const float* b, std::size_t n) {
  Four sums[4] = {};
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __builtin_prefetch(a + i + kAhead);
    for (std::size_t k = 0; k < 4; ++k) sums[k] += load(a + i + 4 * k) * load(b + i + 4 * k);
  }
  const Four sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float rest = 0;
  for (; i < n; ++i) rest += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]) + rest;
}

}  // namespace

void Scorer::operator()(const float* embedding, float* scores) const {
  for (std::size_t label = 0; label < labels(); ++label) {
    float highest = -std::numeric_limits<float>::infinity();
    for (std::size_t row = ends_[label]; row < ends_[label + 1]; ++row)
      highest = std::max(highest, dot(rows_ + row * dimension_, embedding, dimension_));
    scores[label] = highest;
  }
  if (scale_ != 0) softmax(scores, labels(), scale_);
}

std::vector<std::pair<std::uint32_t, float>> best(const float* scores, std::size_t n,
                                                  std::size_t top) {
  std::vector<std::pair<std::uint32_t, float>> found;
  found.reserve(n);
  for (std::size_t i = 0; i < n; ++i) found.emplace_back(static_cast<std::uint32_t>(i), scores[i]);
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(top, n));
  std::partial_sort(found.begin(), end, found.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  found.erase(end, found.end());
  return found;
}

}  // namespace saccade
