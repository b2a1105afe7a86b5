import CActs
import Foundation
import Glibc

/// As many changes as two processors can make, through a ring of the usual size: each one is in an event's count or counted as lost,
/// and the monitor stays small.
func runFlood(_ context: Context, _ report: inout Report) {
    if context.guest {
        report.skip("flood", "an emulated processor floods nothing")
        return
    }
    let seconds = context.full ? 30.0 : 5.0
    let writes: UInt32 = 40, eventsPerRound = 5
    for style in context.styles(underLoad: true) {
        report.check("flood.accounted[\(style)]") {
            let watched = "\(context.folder)/flood-\(style)"
            try makeDirectory(watched)
            let watch = try Watch(context, ["--only", "file", "--backend", style, "--path", watched])
            defer { watch.kill() }
            fflush(nil)
            guard let flood = acts_flood_writes(watched, 2, writes) else { throw Failure("flood: \(String(cString: strerror(errno)))") }
            let begin = now()
            sleep(seconds: seconds)
            let changes = acts_flood_end(flood)
            let took = now() - begin
            guard changes >= 0 else { throw Failure("a flooding process: \(String(cString: strerror(Int32(-changes))))") }
            let memory = highWater(of: watch.pid)
            try watch.interrupt()

            var tally = acts_tally()
            try act("the flood's output", acts_tally(watch.outPath, watched, writes, &tally))
            defer { free(tally.others) }
            let others = try lines(tally).map(Event.init(line:))
            let rounds = Int(changes) / (Int(writes) + 3)
            let seen = Int(tally.created + tally.renamed + tally.deleted + tally.first + tally.totals)
            let lost = others.lost(kind: "file")
            print(
                "   \(Int(Double(changes) / took)) changes per second for \(Int(took)) s; \(seen) events, \(lost) lost; RSS at most \(memory) KiB"
            )
            try expectEqual(seen + lost, rounds * eventsPerRound, "events + lost")
            try expectEqual(tally.odd, 0, "totals of a handle with another count than \(writes) operations")
            // What no loss hides has to be there to the last write.
            if lost == 0 { try expectEqual(Int(tally.operations), rounds * Int(writes), "operations") }
            watch.removeOutput()
        }
    }
}

private func lines(_ tally: acts_tally) -> [Data] {
    guard let others = tally.others else { return [] }
    return Data(bytes: others, count: tally.others_size).split(separator: UInt8(ascii: "\n"))
}

/// Most memory a process had, KiB.
func highWater(of pid: Int32) -> Int { memory(of: pid, "VmHWM:") }

/// A line of /proc/PID/status, KiB.
func memory(of pid: Int32, _ name: String) -> Int {
    let line = text(of: "/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix(name) }
    return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
}
