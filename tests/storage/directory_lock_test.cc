// Two processes never share a data directory: each test tells one such fact.
#include "storage/directory_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/storage/directories.h"

namespace quorate::storage {
namespace {

TEST(DirectoryLock, ASecondProcessIsRefusedWithThePidOfTheFirst) {
  const TestDirectory directory;
  std::array<int, 2> locked{};
  std::array<int, 2> finish{};
  ASSERT_EQ(::pipe(locked.data()) + ::pipe(finish.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = DirectoryLock::acquire(directory.path());
    char byte = lock ? 'y' : 'n';
    ::close(finish[1]);
    if (::write(locked[1], &byte, 1) != 1 || ::read(finish[0], &byte, 1) != 0) ::_exit(1);
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(locked[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');

  const auto refused = DirectoryLock::acquire(directory.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text, "data directory " + directory.path() + " is in use by process " +
                                      std::to_string(child) +
                                      ": stop it first, or start this node with another --data-dir");

  ::close(finish[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(DirectoryLock::acquire(directory.path()));
  for (const int fd : {locked[0], locked[1], finish[0]}) ::close(fd);
}

TEST(DirectoryLock, IsFreeAgainWhenItsOwnerIsGone) {
  const TestDirectory directory;
  {
    ASSERT_TRUE(DirectoryLock::acquire(directory.path()));
  }
  const auto lock = DirectoryLock::acquire(directory.path());
  ASSERT_TRUE(lock);
  EXPECT_FALSE(DirectoryLock::acquire(directory.path()));
  EXPECT_EQ(file_content(directory / "quorate.lock"), std::to_string(::getpid()) + "\n");
}

TEST(DirectoryLock, AMissingDirectoryIsNamed) {
  const auto lock = DirectoryLock::acquire("/nowhere/at/all");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ErrorCode::io);
  EXPECT_NE(lock.error().text.find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace quorate::storage
