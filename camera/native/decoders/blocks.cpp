#include "blocks.hpp"

#include <mutex>
#include <new>
#include <vector>
#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#define SACCADE_MMAP 1
#endif

namespace saccade {
namespace {

constexpr std::size_t kHeader = 64;      // in front of each block: its size
constexpr std::size_t kUnit = 64 << 10;  // sizes are multiples, so that blocks fit again
constexpr std::size_t kKept = 8u << 20;  // bytes in the pool at most
constexpr std::align_val_t kAlignment{64};
// Larger ones come from the system and go back to it at once: between two of them malloc would keep
// what it cannot use, and a reader's memory is promised.
constexpr std::size_t kLarge = 4u << 20;

struct Pool {
  std::mutex mutex;
  std::vector<std::uint8_t*> blocks;  // the latest last
  std::size_t size = 0;               // of all together
};

// Never destroyed: columns that Python holds may be given back after static destructors have run.
Pool& pool() {
  static Pool* const only = new Pool;
  return *only;
}

std::size_t& size_of(std::uint8_t* block) {
  return *reinterpret_cast<std::size_t*>(block - kHeader);
}

std::uint8_t* allocate(std::size_t n_bytes) {
#ifdef SACCADE_MMAP
  if (n_bytes >= kLarge) {
    void* const found = mmap(nullptr, kHeader + n_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::uint8_t*>(found);
  }
#endif
  return static_cast<std::uint8_t*>(operator new(kHeader + n_bytes, kAlignment));
}

void release(std::uint8_t* block) {
#ifdef SACCADE_MMAP
  if (size_of(block) >= kLarge) {
    munmap(block - kHeader, kHeader + size_of(block));
    return;
  }
#endif
  operator delete(block - kHeader, kAlignment);
}

std::uint8_t* find(std::size_t n_bytes) {
  Pool& p = pool();
  const std::lock_guard<std::mutex> lock(p.mutex);
  for (std::size_t i = p.blocks.size(); i-- > 0;) {
    std::uint8_t* const block = p.blocks[i];
    // Not one that is much larger: the columns may be held for long.
    if (size_of(block) < n_bytes || size_of(block) > 2 * n_bytes + kUnit) continue;
    p.blocks.erase(p.blocks.begin() + static_cast<std::ptrdiff_t>(i));
    p.size -= size_of(block);
    return block;
  }
  return nullptr;
}

}  // namespace

MemoryBlock take_block(std::size_t n_bytes) {
  if (std::uint8_t* const found = find(n_bytes)) return MemoryBlock(found);
  const std::size_t size = (n_bytes + kUnit - 1) / kUnit * kUnit;
  std::uint8_t* const block = allocate(size) + kHeader;
  size_of(block) = size;
  return MemoryBlock(block);
}

void ReturnBlock::operator()(std::uint8_t* block) const {
  Pool& p = pool();
  {
    const std::lock_guard<std::mutex> lock(p.mutex);
    if (size_of(block) < kLarge && p.size + size_of(block) <= kKept) {
      p.size += size_of(block);
      p.blocks.push_back(block);
      return;
    }
  }
  release(block);
}

}  // namespace saccade
