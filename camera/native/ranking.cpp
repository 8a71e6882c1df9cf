#include "ranking.hpp"

#include <algorithm>
#include <cmath>

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
