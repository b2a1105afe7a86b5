internal import CThroughput
internal import Glibc

// throughput OBJECT [RUNS [SECONDS]]: prints a section of Markdown on standard output, progress on standard error.
// throughput filters|redaction [RUNS]: its part about filters or redaction alone, which needs no BPF.

func note(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return String(scaled) }
    let fraction = String(scaled % Int(scale))
    return "\(scaled / Int(scale))." + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

func grouped(_ value: Double) -> String {
    var digits = Array(fixed(value, 0))
    var place = digits.count - 3
    while place > 0 {
        digits.insert(",", at: place)
        place -= 3
    }
    return String(digits)
}

func load() -> String {
    var averages = [0.0, 0.0, 0.0]
    getloadavg(&averages, 3)
    return averages.map { fixed($0, 2) }.joined(separator: " ")
}

/// The table of part one: each variant by turns with the others, so that what else the machine does meets all alike.
func comparePairs(object: String, runs: Int) throws {
    let rigs = try (0..<3).map { _ in try Rig(object: object, ringBytes: 4 << 20) }
    var pairs = Pairs(rigs[0], rigs[1], rigs[2])
    try pairs.verify()
    let probe = bench_allocations()
    let kept = [UInt8](repeating: 0, count: 4096 + runs)
    guard bench_allocations() > probe, kept.count > 4096 else { throw Failure("the allocation counter counts nothing") }

    let fills = 25
    var samples: [Variant: [Sample]] = [:]
    for variant in Variant.allCases { _ = try pairs.sample(variant, fills: 3) }  // caches, pages, the writer's memory
    for run in 0..<runs {
        for variant in run % 2 == 0 ? Variant.allCases : Variant.allCases.reversed() {
            samples[variant, default: []].append(try pairs.sample(variant, fills: fills))
        }
        note("run \(run + 1) of \(runs)")
    }

    print("### From a ring to a view and to JSON\n")
    print(
        "\(runs) alternating runs of \(grouped(Double(fills) * Double(pairs.rig.batch))) events each, records of \(fixed(pairs.rig.recordBytes, 0)) "
            + "bytes on average, a 4 MiB ring, CPU time of the thread. The C writer makes the same bytes, "
            + "which is checked first, with the same algorithms for numbers and strings; it encodes each actor anew, where the encoder keeps "
            + "the parts of 64 (as many take turns here, and some share a place). The C loop neither orders records nor accounts for losses. The ratio is that of the "
            + "medians; in brackets the median, least and greatest of the runs' own ratios.\n")
    print("| | ns per event, median | minimum | ratio to C | allocations per event | bytes of JSON |")
    print("|---|---|---|---|---|---|")
    for variant in Variant.allCases {
        let own = samples[variant, default: []]
        let peer = samples[variant.peer, default: []]
        let times = own.map(\.nanoseconds)
        let ratios = zip(own, peer).map { $0.nanoseconds / $1.nanoseconds }
        let ratio = median(times) / median(peer.map(\.nanoseconds))
        let told =
            variant == variant.peer
            ? "1" : "\(fixed(ratio, 2)) (\(fixed(median(ratios), 2)), \(fixed(ratios.min() ?? 0, 2))-\(fixed(ratios.max() ?? 0, 2)))"
        let json = own.first.map { $0.bytes > 0 ? fixed($0.bytes, 0) : "" } ?? ""
        print(
            "| \(variant.rawValue) | \(fixed(median(times), 1)) | \(fixed(times.min() ?? 0, 1)) | \(told) | "
                + "\(fixed(median(own.map(\.allocations)), 4)) | \(json) |")
    }
    print("")
}

/// The table of part two: growing rates until something is lost.
func sustain(object: String, seconds: Double) throws {
    let rig = try Rig(object: object, ringBytes: 4 << 20)
    // A batch fills the ring but for 64 KiB.
    let lasts = Double(rig.batch) / 100_000 * 1000
    print("### Sustained, from a real ring to JSON on /dev/null\n")
    print(
        "A BPF program makes records on one CPU at a growing rate for \(fixed(seconds, 0)) s each, one consumer on another CPU drains a 4 MiB ring "
            + "(in order of time, 20 ms window, losses accounted for) and writes JSON to /dev/null. "
            + "The ring lasts for \(fixed(lasts, 0)) ms at "
            + "100,000 records a second; on a machine in use the consumer may be kept from its CPU for longer, at once or by turns.\n")
    print("| asked for, events/s | made | lost, each try | longest wait for a CPU, ms, each try | CPU of the consumer | allocations per event |")
    print("|---|---|---|---|---|---|")
    let cpus = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    guard cpus > 1, bench_pin(1) == 0 else { throw Failure("two CPUs are needed") }
    var consumer = try SustainedRun()
    _ = try consumer.run(rig, rate: 50_000, seconds: 0.3, writerCPU: 0)
    var clean = true
    var first = 0.0
    var best = 0.0
    var rate = 50_000.0
    while rate < 5_000_000 {
        // On a machine that others use, the consumer may not get its CPU for longer than the ring lasts: three tries.
        var tries: [Sustained] = []
        repeat {
            tries.append(try consumer.run(rig, rate: rate, seconds: seconds, writerCPU: 0))
            note("\(grouped(rate))/s asked, \(grouped(tries[tries.count - 1].made)) made, \(tries[tries.count - 1].lost) lost")
        } while tries[tries.count - 1].lost > 0 && tries.count < 3
        let last = tries[tries.count - 1]
        print(
            "| \(grouped(rate)) | \(grouped(last.made)) | \(tries.map { grouped(Double($0.lost)) }.joined(separator: "; ")) | "
                + "\(tries.map { fixed($0.longestWait, 0) }.joined(separator: "; ")) | \(fixed(last.busy * 100, 0)) % | \(fixed(last.allocations, 4)) |")
        if last.lost > 0 { break }
        best = last.made
        if tries.count > 1 { clean = false }
        if clean { first = last.made }
        if last.made < 0.9 * rate { break }  // the writer's own limit
        rate *= 1.25
    }
    print("\nSustained without a loss: \(grouped(first)) events/s at every first try, \(grouped(best)) in the best of three.\n")
}

let arguments = CommandLine.arguments
guard arguments.count > 1 else {
    note("usage: throughput OBJECT|filters|redaction [RUNS [SECONDS]]")
    exit(64)
}
let runs = max(5, arguments.count > 2 ? Int(arguments[2]) ?? 7 : 7)
let seconds = arguments.count > 3 ? Double(arguments[3]) ?? 2 : 2
do {
    if arguments[1] == "filters" || arguments[1] == "redaction" {
        arguments[1] == "filters" ? try costOfFilters(runs: runs) : try costOfRedaction(runs: runs)
        fflush(nil)
        exit(0)
    }
    let before = load()
    try comparePairs(object: arguments[1], runs: runs)
    try sustain(object: arguments[1], seconds: seconds)
    try costOfFilters(runs: runs)
    try costOfRedaction(runs: runs)
    print("Load averages of the machine before and after: \(before); \(load()).")
    fflush(nil)
} catch {
    note("throughput: \(error)")
    exit(1)
}
