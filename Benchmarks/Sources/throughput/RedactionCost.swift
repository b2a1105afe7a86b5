internal import CThroughput
internal import Redaction

/// Command lines of 300 bytes, padded at their ends, and what they have to do with secrets.
private let lines: [(name: String, words: [String])] = [
    ("no secret", ["/usr/lib/jvm/bin/java", "-Xms512m", "-Xmx4g", "-XX:+UseG1GC", "-Dfile.encoding=UTF-8", "-Dlog.dir=/var/log/search", "-cp", "/usr/share/search/lib/*", "org.example.Search", "--port", "9200", "--data", "/srv/data"]),
    ("no secret, many names like one", ["/usr/bin/deploy", "--password-file", "/etc/deploy/pw.txt", "--token-file=/run/t", "--secretless", "--no-password", "--cookies-off", "--bypass", "--key-id", "17", "--passive"]),
    ("one secret", ["/usr/bin/mysqldump", "--host=db1.example.org", "--user=backup", "--password=hunter2hunter2", "--single-transaction", "--quick", "--routines", "--triggers", "shop"]),
    ("five secrets", ["/usr/bin/env", "DB_PASSWORD=hunter2", "API_TOKEN=0123456789abcdef", "/usr/bin/sync", "--secret-key", "swordfish", "--from", "https://ann:letmein@repo.example.org/a", "--header", "Authorization: Bearer abcdef0123456789"]),
]

/// What looking for secrets takes of a command line, and what masking them takes.
func costOfRedaction(runs: Int) throws {
    let redactor = try Redactor()
    var scratch = RedactionScratch(redactor)
    let rounds = 50_000
    print("### Redaction\n")
    print("\(runs) runs of \(grouped(Double(rounds))) command lines of 300 bytes each, the built-in rules. CPU time of the thread.\n")
    print("| command line | masked | ns each, median | minimum | allocations |")
    print("|---|---|---|---|---|")
    for (name, words) in lines {
        var bytes: [UInt8] = []
        for word in words { bytes += Array(word.utf8) + [0] }
        guard bytes.count <= 299 else { throw Failure("\(name): \(bytes.count) bytes are too many") }
        bytes += [UInt8](repeating: UInt8(ascii: "x"), count: 299 - bytes.count) + [0]
        var samples: [Double] = []
        var masked: UInt32 = 0
        var allocations: UInt64 = 0
        samples.reserveCapacity(runs)
        for _ in 0..<runs {
            let allocationsBefore = bench_allocations()
            let begin = bench_thread_cpu_ns()
            bytes.withUnsafeBytes {
                for _ in 0..<rounds { masked = redactor.redact(arguments: RawSpan(_unsafeBytes: $0), into: &scratch) }
            }
            samples.append(Double(bench_thread_cpu_ns() - begin) / Double(rounds))
            allocations += bench_allocations() - allocationsBefore
        }
        print("| \(name) | \(masked) | \(fixed(median(samples), 0)) | \(fixed(samples.min() ?? 0, 0)) | \(allocations) |")
    }
    print("")
}
