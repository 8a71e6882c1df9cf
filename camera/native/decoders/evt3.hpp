// Prophesee EVT3: 16-bit little-endian words whose meaning depends on those before.
#pragma once
#include "decoder.hpp"
#include "triggers.hpp"

namespace saccade {

class SliceCounter;
template <bool kScaled>
struct Additions;

// How many words are of a type that no sensor sends: five of the sixteen.
std::size_t count_reserved_evt3(const std::uint8_t* words, std::size_t n_words);

class Evt3Decoder {
 public:
  struct Tallies {
    std::uint64_t before_time = 0, missing_y = 0, missing_base = 0;             // dropped events
    std::uint64_t out_of_bounds = 0, unknown_word = 0;                          // dropped
    std::uint64_t triggers = 0, others = 0, continued = 0, time_backwards = 0;  // not events
  };

  Evt3Decoder(std::uint32_t width, std::uint32_t height);

  // Decodes any number of bytes; that of an unfinished word is kept for the next call.
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  static constexpr std::size_t kWord = 2;
  // Words counted without columns: see counting.hpp.
  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  bool counts_wide(const SliceCounter& to) const;
  std::size_t count_wide(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);

  Counts dropped() const {
    const Tallies& c = counters_;
    return {{"before_time", c.before_time},
            {"missing_y", c.missing_y},
            {"missing_base", c.missing_base},
            {"out_of_bounds", c.out_of_bounds},
            {"unknown_word", c.unknown_word}};
  }
  Counts skipped() const {
    const Tallies& c = counters_;
    return {{"triggers", c.triggers},
            {"others", c.others},
            {"continued", c.continued},
            {"time_backwards", c.time_backwards}};
  }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  // Those of the last decode(); before the first TIME_HIGH they have no time and are only counted.
  const TriggerColumns& triggers() const { return triggers_; }
  std::size_t pending_bytes() const { return has_pending_ ? 1 : 0; }

  // What the words so far have set for those to come.
  struct State {
    std::uint64_t high;      // TIME_HIGH, its wraps included
    std::uint32_t low;       // TIME_LOW
    std::int32_t row, base;  // ADDR_Y, and x of the next vector's first bit; -1 before the first
    bool on;                 // of the next vector
  };
  // None before the first TIME_HIGH.
  std::optional<State> state() const {
    if (!clock_.started()) return std::nullopt;
    const auto low = static_cast<std::uint32_t>(packed_ >> 23) & 0xfff;
    const auto row = static_cast<std::int32_t>(packed_ >> 12) & 0x7ff;
    const auto base = base_ == kNone ? -1 : static_cast<std::int32_t>(base_);
    return State{clock_.value(), low, has_y_ ? row : -1, base, polarity_ != 0};
  }

 private:
  // What one type of word does in the fast loop, as data instead of as a branch: the types follow
  // each other unpredictably, and a mispredicted branch costs as much as ten words.
  struct Rule {
    std::uint16_t expect = 0, compare = 0xffff;  // (word ^ expect) & compare
    std::uint16_t bound = 0;                     // below this the fast loop takes the word
    std::uint16_t emits = 0;                     // events: 0 or 1
    std::uint32_t take = 0, scale = 0;           // bits of the word that enter the state, and where
    std::uint64_t keep = ~std::uint64_t{0};      // bits of the packed state that stay
    std::uint64_t unused = 0;                    // 32 bytes: found by a shift
  };

  struct Block;  // packed events whose times share their upper bits

  // The events of whole blocks of 16 words.
  static std::size_t count_wide(const std::uint8_t* words, std::size_t n_words);
  struct WideBlock;  // 32 words, sorted by type
  std::size_t expand(const WideBlock& b, std::uint16_t* lows, const EventColumns& out);
  void leave(const WideBlock& b);
  bool begin(const std::uint8_t* words, WideBlock& b) const;
  template <bool kScaled>
  bool place(const WideBlock& b, Additions<kScaled>& to, std::size_t& n_events,
             std::size_t& n_vectors) const;
  template <bool kScaled>
  std::size_t count_blocks(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  // Decodes whole blocks of 32 words, without a branch on their types, up to the first that needs a
  // look at each word; returns how many. Needs a known time, and a row inside the sensor.
  std::size_t wide(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  struct Sorted;
  struct Words;
  struct Groups;
  // The same, 64 words at a time; between blocks no vector waits for its next one.
  std::size_t wide512(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  static void collect(const Words& w, const Sorted& s, std::uint64_t row, std::uint64_t low,
                      Groups& to);
  template <bool kScaled>
  std::size_t count_groups(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  template <typename Sink>
  std::size_t blocks512(const std::uint8_t* words, std::size_t n_words, Sink& sink);
  struct ColumnSink;
  template <bool kScaled>
  struct CountSink;
  template <bool kScaled>
  std::size_t count_blocks512(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::size_t count_wide512(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::uint32_t inside(std::uint32_t mask, std::uint32_t x);
  std::size_t count(const std::uint8_t* words, std::size_t n_words) const;
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void run_block(const std::uint8_t* words, std::size_t n_words, Block& block);
  std::size_t slow_word(const std::uint8_t* words, std::size_t n_words, Block& block);
  void vector_word(std::uint32_t word, Block& block);
  bool triplet(const std::uint8_t* words, Block& block);
  void other_word(std::uint32_t word);
  void set_rules();
  void drop(bool has_base, std::uint32_t n);

  static constexpr std::uint32_t kNone = 0xffff;  // no VECT_BASE_X yet: past any bound

  std::uint32_t width_, height_;
  WrappingClock<12> clock_;
  Rule rules_[16];
  std::uint64_t packed_ = 0;    // the row and the lower time, where an event's word has them
  std::uint32_t base_ = kNone;  // x of the next vector's first bit
  std::uint32_t polarity_ = 0;  // of the vectors, where an event's word has it
  std::uint32_t x_limit_ = 0;   // the width where events may be emitted, else 0
  bool has_y_ = false;
  bool wide_, wide512_;  // many words at a time
  Tallies counters_;
  TriggerColumns triggers_;
  std::uint8_t pending_ = 0;
  bool has_pending_ = false;
};

}  // namespace saccade
