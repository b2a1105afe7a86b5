internal import CThroughput
internal import Events
internal import Glibc
internal import Rings

/// One way of working through a full ring.
enum Variant: String, CaseIterable {
    case cView = "C loop, view"
    case swiftView = "Swift RingReader, view"
    case orderedOne = "Swift OrderedDrain and LossTracker, one ring, view"
    case orderedTwo = "Swift OrderedDrain and LossTracker, two rings, view"
    case cJSON = "C loop, C writer, JSON"
    case swiftJSON = "Swift RingReader, ECSEncoder, JSON"
    case orderedJSON = "Swift OrderedDrain, LossTracker, ECSEncoder, two rings, JSON"

    /// What it is compared with.
    var peer: Variant {
        switch self {
        case .cView, .swiftView, .orderedOne, .orderedTwo: .cView
        case .cJSON, .swiftJSON, .orderedJSON: .cJSON
        }
    }
}

/// Nanoseconds of CPU and allocations that one run of a variant took for each event, and the bytes that it wrote.
struct Sample {
    var nanoseconds: Double
    var allocations: Double
    var bytes: Double
}

/// Runs the variants by turns. The C loop and the plain reader work on the same ring; each ordered drain, which keeps its
/// place, has rings of its own.
struct Pairs: ~Copyable {
    let rig: Rig
    private let oneRig: Rig
    private let twoRig: Rig
    private var one: OrderedDrain
    private var two: OrderedDrain
    private var oneLosses: LossTracker
    private var twoLosses: LossTracker
    private var encoder = Rig.encoder()
    private var writer = ByteWriter(capacity: 256 << 10)
    private var json = Rig.jsonContext()
    private let output = UnsafeMutablePointer<UInt8>.allocate(capacity: 256 << 10)
    private let room = 64 << 10

    init(_ rig: Rig, _ oneRig: Rig, _ twoRig: Rig) {
        self.rig = rig
        self.oneRig = oneRig
        self.twoRig = twoRig
        one = oneRig.drain(rings: 1)
        two = twoRig.drain(rings: 2)
        oneLosses = LossTracker(rings: 1, cpus: 1, attached: 0)
        twoLosses = LossTracker(rings: 2, cpus: 1, attached: 0)
    }

    deinit { output.deallocate() }

    /// Both writers make the same bytes of every template, and both loops the same of a ring.
    mutating func verify() throws {
        for (index, template) in Templates.all().enumerated() {
            let written = bench_c_json(&json, template, template.count, output)
            writer.clear()
            _ = template.withUnsafeBytes { encoder.encode(record: RawSpan(_unsafeBytes: $0), Resolution(), into: &writer) }
            let same = writer.withBytes { bytes in
                bytes.baseAddress.map { bytes.count == written && memcmp($0, output, written) == 0 } ?? false
            }
            if !same {
                let swift = writer.withBytes { String(decoding: $0, as: UTF8.self) }
                let c = String(decoding: UnsafeBufferPointer(start: output, count: written), as: UTF8.self)
                throw Failure("the C writer and the encoder differ in template \(index):\nC:     \(c)\nSwift: \(swift)")
            }
        }
        var digests: [bench_digest] = []
        for variant in [Variant.cView, .swiftView] {
            try rig.fill()
            var digest = bench_digest()
            // The numbers and times differ from filling to filling; what is mixed of them is compared for one filling below.
            run(variant, &digest)
            digest.mixed = 0
            digests.append(digest)
        }
        guard digests[0].isSame(as: digests[1]), digests[0].records == UInt64(rig.batch) else {
            throw Failure("the loops saw different records: \(digests), not \(rig.batch)")
        }
        try rig.fill()
        let ring = rig.rings[0]
        let start = ring.consumer.load(as: UInt.self)
        var first = bench_digest()
        run(.swiftView, &first)
        // The same filling once more: nothing has overwritten it.
        ring.consumer.storeBytes(of: start, as: UInt.self)
        var second = bench_digest()
        run(.cView, &second)
        guard first.isSame(as: second) else { throw Failure("the loops read different values") }
    }

    /// One run of a variant over `fills` full rings.
    mutating func sample(_ variant: Variant, fills: Int) throws -> Sample {
        var digest = bench_digest()
        var nanoseconds: UInt64 = 0
        var allocations: UInt64 = 0
        var bytes: UInt64 = 0
        for _ in 0..<fills {
            switch variant {
            case .orderedOne: try oneRig.fill(rings: 1)
            case .orderedTwo, .orderedJSON: try twoRig.fill(rings: 2)
            default: try rig.fill(rings: 1)
            }
            let before = bench_allocations()
            let start = bench_thread_cpu_ns()
            bytes += run(variant, &digest)
            nanoseconds += bench_thread_cpu_ns() - start
            allocations += bench_allocations() - before
        }
        let events = Double(fills) * Double(rig.batch)
        guard digest.records == UInt64(events) else { throw Failure("\(variant.rawValue): \(digest.records) records of \(events)") }
        return Sample(
            nanoseconds: Double(nanoseconds) / events, allocations: Double(allocations) / events, bytes: Double(bytes) / events)
    }

    /// Works through what is in the rings; returns the bytes written.
    @inline(never) @discardableResult
    private mutating func run(_ variant: Variant, _ digest: inout bench_digest) -> UInt64 {
        switch variant {
        case .cView:
            var ring = rig.rings[0]
            bench_c_view(&ring, &digest)
            return 0
        case .cJSON:
            var ring = rig.rings[0]
            return bench_c_json_ring(&ring, &json, output, room, &digest.records)
        case .swiftView:
            var reader = rig.reader(0)
            var local = digest
            while reader.drain(records: .max, bytes: reader.size / 4, { local.add($0) }).stop == .budget {}
            digest = local
            return 0
        case .swiftJSON:
            return encode(&digest)
        case .orderedOne: return Self.ordered(&one, &oneLosses, &digest)
        case .orderedTwo: return Self.ordered(&two, &twoLosses, &digest)
        case .orderedJSON: return orderedJSON(&digest)
        }
    }

    private mutating func encode(_ digest: inout bench_digest) -> UInt64 {
        var bytes: UInt64 = 0
        var records: UInt64 = 0
        var reader = rig.reader(0)
        let resolution = Resolution()
        writer.clear()
        while true {
            let done = reader.drain(records: .max, bytes: reader.size / 4) { record in
                encoder.encode(record: record, resolution, into: &writer)
                records &+= 1
                if writer.count > room {
                    bytes &+= UInt64(writer.count)
                    writer.clear()
                }
            }
            if done.stop != .budget { break }
        }
        digest.records &+= records
        return bytes &+ UInt64(writer.count)
    }

    private static func ordered(_ drain: inout OrderedDrain, _ losses: inout LossTracker, _ digest: inout bench_digest) -> UInt64 {
        var local = digest
        let now = bench_boottime_ns()
        while true {
            let done = drain.drain(now: now, window: 0) { record, ring in
                guard let header = HeaderView(record) else { return }
                losses.observe(ring: ring, cpu: Int(header.cpu), sequence: header.sequence, time: header.time, now: now)
                local.add(record)
            }
            if !done.moreWork { break }
        }
        digest = local
        return 0
    }

    private mutating func orderedJSON(_ digest: inout bench_digest) -> UInt64 {
        var bytes: UInt64 = 0
        var records: UInt64 = 0
        let resolution = Resolution()
        let now = bench_boottime_ns()
        writer.clear()
        while true {
            let done = two.drain(now: now, window: 0) { record, ring in
                guard let header = HeaderView(record) else { return }
                twoLosses.observe(ring: ring, cpu: Int(header.cpu), sequence: header.sequence, time: header.time, now: now)
                encoder.encode(record: record, resolution, into: &writer)
                records &+= 1
                if writer.count > room {
                    bytes &+= UInt64(writer.count)
                    writer.clear()
                }
            }
            if !done.moreWork { break }
        }
        digest.records &+= records
        return bytes &+ UInt64(writer.count)
    }
}
