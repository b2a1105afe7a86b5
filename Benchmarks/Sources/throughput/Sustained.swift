internal import CThroughput
internal import Events
internal import Glibc
internal import KernelABI
internal import Rings

/// What came of one rate.
struct Sustained {
    var asked: Double
    /// Records that the kernel made, each second, and what of them did not arrive.
    var made: Double
    var produced: UInt64
    var lost: UInt64
    /// Share of one CPU that the consumer used.
    var busy: Double
    var allocations: Double
    /// The longest time, in ms, from one drain to the next in which the consumer did not have its CPU (its own sleep of
    /// 1 ms among it). A ring of this size lasts for its records divided by the rate.
    var longestWait: Double
}

/// A BPF program makes records on one CPU, and this thread makes JSON of them on the other and writes it to /dev/null, as
/// the monitor does: in order of time, with the losses accounted for.
struct SustainedRun: ~Copyable {
    private let window: UInt64 = 20_000_000
    private var encoder = Rig.encoder()
    private var writer = ByteWriter(capacity: 256 << 10)
    private let sink: Int32

    init() throws {
        sink = open("/dev/null", O_WRONLY)
        guard sink >= 0 else { throw Failure("can't open /dev/null") }
    }

    deinit { close(sink) }

    mutating func run(_ rig: Rig, rate: Double, seconds: Double, writerCPU: Int32) throws -> Sustained {
        var drain = rig.drain(rings: 1)
        let before = bench_counter(rig.bench, 0)
        var losses = LossTracker(rings: 1, cpus: 1, attached: bench_boottime_ns())
        guard bench_writer_start(rig.bench, writerCPU, rate, seconds) == 0 else { throw Failure("can't start the writer") }
        let cpu = bench_thread_cpu_ns()
        let start = bench_boottime_ns()
        let allocated = bench_allocations()
        var longestWait: UInt64 = 0
        var (lastWall, lastCPU) = (start, cpu)
        while bench_writer_done(rig.bench) == 0 {
            let (wall, own) = (bench_boottime_ns(), bench_thread_cpu_ns())
            longestWait = max(longestWait, (wall - lastWall) - min(wall - lastWall, own - lastCPU))
            (lastWall, lastCPU) = (wall, own)
            if !turn(&drain, &losses, first: before.sequence, flush: false) { usleep(1000) }
        }
        let allocations = bench_allocations() - allocated
        let used = bench_thread_cpu_ns() - cpu
        let took = bench_boottime_ns() - start
        let writing = bench_writer_join(rig.bench)
        while turn(&drain, &losses, first: before.sequence, flush: true) {}

        let after = bench_counter(rig.bench, 0)
        var counter = after
        counter.sequence -= before.sequence
        losses.reconcile(ring: 0, cpu: 0, counter: counter, now: bench_boottime_ns())
        _ = losses.finish()
        let totals = losses.totals
        let dropped = sum(after) - sum(before)
        guard totals.lost - totals.recovered == dropped, totals.accounted == counter.sequence else {
            throw Failure("\(totals.lost) lost, but the kernel dropped \(dropped)")
        }
        return Sustained(
            asked: rate, made: Double(counter.sequence) / writing, produced: counter.sequence, lost: dropped,
            busy: Double(used) / Double(took), allocations: Double(allocations) / Double(max(1, totals.received)),
            longestWait: Double(longestWait) / 1e6)
    }

    /// One drain; true when it left work.
    private mutating func turn(_ drain: inout OrderedDrain, _ losses: inout LossTracker, first: UInt64, flush: Bool) -> Bool {
        let now = bench_boottime_ns()
        let resolution = Resolution()
        let done = drain.drain(now: now, window: drain.isPressed ? 0 : window, flush: flush) { record, ring in
            guard let header = HeaderView(record) else { return }
            losses.observe(ring: ring, cpu: 0, sequence: header.sequence &- first, time: header.time, now: now)
            encoder.encode(record: record, resolution, into: &writer)
            if writer.count > 64 << 10 { flushWriter() }
        }
        flushWriter()
        return done.moreWork
    }

    private mutating func flushWriter() {
        let sink = sink
        writer.withBytes { _ = write(sink, $0.baseAddress, $0.count) }
        writer.clear()
    }

    private func sum(_ counter: hv_counter) -> UInt64 {
        withUnsafeBytes(of: counter.dropped) { $0.bindMemory(to: UInt64.self).reduce(0, +) }
    }
}
