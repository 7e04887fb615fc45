// Script: a cluster moved by lines of text. A line is a verb, words, and name=value; replicas are numbers, lists have
// commas between them. What happens is printed by raft/print.h; "->" stands before what arrives, and what it causes is
// indented; "!" stands before what must never happen.
//
//   nodes 1,2,3 [learners= joining= version= commits_at_once= window= window_bytes= append_bytes= append_entries=
//                uncommitted= uncommitted_bytes= tail_bytes=]          node 4 [version=]
//   campaign 1        propose 1 a b …        propose 1 size=100 [count=3]        read 1 token      transfer 1 2
//   configure 1 voters=1,2 [learners= joining=]
//   deliver | drop | duplicate | reverse  [from=1] [to=2,3] [kind=append] [count=1]     of what is in flight
//   cut 1,2 3        nothing gets through, in both directions         cut 1>3          in one               heal
//   persist 1,2 [count=1]      fail 1      stop 1      restart 1 [loses=6] [known]      renew 1 version=2
//   compact 1 5
//   fetch 1      stage 1 2 [at=5 term=1]      sent 1 2      not-sent 1 2                              what a host does
//   for snapshots live 3 [at=1]      dead 3 [at=1]      unreachable 1 2 advance 1s      tick 1s      run 1s deadline 1
//   stabilize [1,2]      settle [1,2]      everything arrives, but only at these; settle prints nothing
//   status [1]      log 1      progress 1      flight      writes 1      applied 1      detail all|changes|nothing
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/raft/cluster.h"

namespace quorate::raft::test {

class Script {
 public:
  Script();
  ~Script();

  /// One line. Returns what it has caused.
  std::vector<std::string> play(const std::string& line);
  /// Several lines; for tests that look at the cluster afterwards. Fails the test when something must not have
  /// happened.
  void run(std::string_view lines);
  Cluster& cluster() { return *cluster_; }
  const Core& core(std::uint64_t replica) { return cluster_->core(ReplicaId(replica)); }

 private:
  class Words;
  struct Verb {
    std::string_view name;
    void (Script::*play)(const Words& words);
  };
  static const std::vector<Verb> kVerbs;

  void nodes(const Words& words);
  void node(const Words& words);
  void campaign(const Words& words);
  void propose(const Words& words);
  void configure(const Words& words);
  void read(const Words& words);
  void transfer(const Words& words);
  void deliver(const Words& words);
  void drop(const Words& words);
  void duplicate(const Words& words);
  void reverse(const Words& words);
  void cut(const Words& words);
  void heal(const Words& words);
  void persist(const Words& words);
  void fail(const Words& words);
  void stop(const Words& words);
  void restart(const Words& words);
  void renew(const Words& words);
  void compact(const Words& words);
  void fetch(const Words& words);
  void stage(const Words& words);
  void sent(const Words& words);
  void not_sent(const Words& words);
  void live(const Words& words);
  void dead(const Words& words);
  void unreachable(const Words& words);
  void advance(const Words& words);
  void tick(const Words& words);
  void pass(const Words& words);
  void deadline(const Words& words);
  void stabilize(const Words& words);
  void settle(const Words& words);
  void status(const Words& words);
  void log(const Words& words);
  void progress(const Words& words);
  void flight(const Words& words);
  void writes(const Words& words);
  void applied(const Words& words);
  void detail(const Words& words);
  void set_live(const Words& words, bool live);
  Cluster::Selects selection(const Words& words) const;
  void say(std::string line);

  std::unique_ptr<Cluster> cluster_;
};

}  // namespace quorate::raft::test
