// Password hashes: vectors made with Python's hashlib, and everything that must not log in.
#include "broker/auth/password.h"

#include <gtest/gtest.h>

namespace quorate::auth {

namespace {

constexpr Salt kSalt = {std::byte{0x90}, std::byte{0x8d}, std::byte{0xc6}, std::byte{0x0a}};

struct Vector {
  HashingAlgorithm algorithm;
  std::string_view password;
  std::string_view encoded;
};

constexpr Vector kVectors[] = {
    {HashingAlgorithm::sha256, "test12", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"},
    {HashingAlgorithm::sha256, "pässword", "kI3GCqRGmQczlAqvk1F/BgE7o1IKCiYD7K4Yf8LaCJMScJvK"},
    {HashingAlgorithm::sha512, "test12",
     "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc="},
    {HashingAlgorithm::md5, "test12", "kI3GChNpte2FApYFXScl+0dIluk="},
};

}  // namespace

TEST(Password, HashesLikeRabbitMq) {
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(hash_password(vector.password, kSalt, vector.algorithm), vector.encoded);
    EXPECT_TRUE(verify_password(vector.password, vector.encoded, vector.algorithm)) << vector.encoded;
  }
}

TEST(Password, DependsOnEveryBitOfTheHash) {
  const std::string good(kVectors[0].encoded);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verify_password("test12", bad)) << i;
    EXPECT_FALSE(verify_password("test12", good.substr(0, i))) << i;
  }
}

TEST(Password, RefusesOtherPasswordsAndOtherAlgorithms) {
  for (const std::string_view wrong : {"test1", "test123", "Test12", " ", "\n"}) {
    EXPECT_FALSE(verify_password(wrong, kVectors[0].encoded)) << wrong;
  }
  EXPECT_FALSE(verify_password("test12", kVectors[0].encoded, HashingAlgorithm::sha512));
  EXPECT_FALSE(verify_password("test12", kVectors[0].encoded, HashingAlgorithm::md5));
}

TEST(Password, IsNeverBlank) {
  const std::string blank = hash_password("", kSalt);
  EXPECT_EQ(blank, "kI3GCrTX798KLXnBt/mFM97t8TbDJzaewEU/2YfqeB4xLGFr");
  EXPECT_FALSE(verify_password("", blank));
}

TEST(Password, HasNoMatchInWhatIsNoHash) {
  for (const std::string_view junk : {"", "=", "====", "AAAA", "kI3GCg==", "not base64 at all!", "kI3G CqW5"}) {
    EXPECT_FALSE(verify_password("test12", junk)) << junk;
  }
  EXPECT_FALSE(verify_password("test12", std::string(1 << 20, 'A')));
  EXPECT_FALSE(verify_password("test12", kNobodysHash));
  EXPECT_EQ(kNobodysHash.size(), kVectors[0].encoded.size());  // and so takes as long
}

TEST(Password, AlgorithmsAreFoundByTheirNamesInDefinitions) {
  for (const auto algorithm : {HashingAlgorithm::sha256, HashingAlgorithm::sha512, HashingAlgorithm::md5}) {
    EXPECT_EQ(find_hashing_algorithm(name_of(algorithm)), algorithm);
  }
  EXPECT_EQ(find_hashing_algorithm("rabbit_password_hashing_bcrypt"), std::nullopt);
}

}  // namespace quorate::auth
