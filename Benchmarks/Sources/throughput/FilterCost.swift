internal import CThroughput
internal import Events
internal import Filters
internal import Rings

/// Filters as people write them, and one that has to look at most of what there is.
private let filters = [
    "process.pid == 1",
    "event.action == \"delete\"",
    "process.name == \"sshd\" and not file.path startswith \"/var/log\"",
    "process.name == \"postgres\" and not file.path startswith \"/var/log\"",
    "user.id >= 1000 or file.path matches \"/etc/*.conf\" or process.args contains \"password\"",
    "process.command_line contains \"curl\" or process.name in [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\"]",
]

/// What a filter adds to each event: the templates one after the other, which lie in the cache.
func costOfFilters(runs: Int) throws {
    let records = Templates.all()
    let rounds = 4000
    print("### Filters\n")
    print(
        "\(runs) runs of \(grouped(Double(rounds * records.count))) records each, from the record's bytes to the verdict: the view is made (which every event "
            + "pays for anyway, the first row), then the filter runs. CPU time of the thread.\n")
    print("| filter | passes | ns per event, median | minimum | allocations |")
    print("|---|---|---|---|---|")
    func row(_ name: String, _ judge: (RawSpan) -> Bool) {
        var samples: [Double] = []
        var passed = 0
        var allocations: UInt64 = 0
        samples.reserveCapacity(runs)
        for _ in 0..<runs {
            passed = 0
            let allocationsBefore = bench_allocations()
            let begin = bench_thread_cpu_ns()
            for _ in 0..<rounds {
                for index in records.indices {
                    if records[index].withUnsafeBytes({ judge(RawSpan(_unsafeBytes: $0)) }) { passed += 1 }
                }
            }
            samples.append(Double(bench_thread_cpu_ns() - begin) / Double(rounds * records.count))
            allocations += bench_allocations() - allocationsBefore
        }
        let share = fixed(100 * Double(passed) / Double(rounds * records.count), 0)
        print("| \(name) | \(share) % | \(fixed(median(samples), 1)) | \(fixed(samples.min() ?? 0, 1)) | \(allocations) |")
    }
    row("none, the view alone") { record in ExecView(record) != nil || FileView(record) != nil || ExitView(record) != nil }
    for text in filters {
        let filter = try Filter(text: text)
        row("`\(text)`") { filter.passes(record: $0, Resolution()) }
    }
    print("")
}
