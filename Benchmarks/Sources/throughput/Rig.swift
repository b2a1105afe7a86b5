internal import CThroughput
internal import Events
internal import Glibc
internal import Rings

struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Two real rings, filled by a BPF program.
struct Rig {
    static let bootID = "6f3a3a9e-5f3b-4c6e-9f5b-0a1b2c3d4e5f"
    static let hostID = "0123456789abcdef0123456789abcdef"
    static let runID: UInt64 = 0x0123_4567_89ab_cdef
    static let hostName = "host-1"
    static let version = "0.1.0"
    /// 2024-02-29T12:00:00Z at a boot time of 1,000 s.
    static let realtimeOffset: Int64 = 1_709_208_000_000_000_000 - 1_000_000_000_000

    let bench: OpaquePointer
    let rings: [bench_ring]
    /// Records that surely fit into one ring: each template as often as the others.
    let batch: UInt32
    /// Mean bytes of a record.
    let recordBytes: Double

    init(object: String, ringBytes: Int) throws {
        guard let bench = bench_open(object, UInt32(ringBytes)) else {
            throw Failure("can't load \(object): \(String(cString: strerror(errno)))")
        }
        self.bench = bench
        let templates = Templates.all()
        for (index, record) in templates.enumerated() {
            guard bench_set_template(bench, UInt32(index), record, UInt32(record.count)) == 0 else {
                throw Failure("a template has \(record.count) bytes, more than \(bench_template_bytes())")
            }
        }
        var rings: [bench_ring] = []
        for index in 0..<2 as Range<UInt32> {
            var ring = bench_ring()
            guard bench_map(bench, index, &ring) == 0 else { throw Failure("can't map a ring") }
            rings.append(ring)
        }
        self.rings = rings
        let inRing = templates.reduce(0) { $0 + ($1.count + 15) / 8 * 8 }
        batch = UInt32((ringBytes - 65536) / inRing * templates.count)
        recordBytes = Double(templates.reduce(0) { $0 + $1.count }) / Double(templates.count)
    }

    func fill(rings: UInt32 = 1) throws {
        let result = bench_fill(bench, batch, rings)
        guard result == 0 else { throw Failure("BPF_PROG_TEST_RUN: \(String(cString: strerror(-result)))") }
    }

    func reader(_ index: Int) -> RingReader {
        let ring = rings[index]
        return RingReader(consumer: ring.consumer, producer: ring.producer, data: ring.data, size: ring.size)
    }

    func drain(rings count: Int) -> OrderedDrain {
        var drain = OrderedDrain(rings: count)
        for index in 0..<count { drain.add(reader(index)) }
        return drain
    }

    static func encoder() -> ECSEncoder {
        ECSEncoder(
            context: EncoderContext(bootID: bootID, hostID: hostID, hostName: hostName, runID: runID, agentVersion: version),
            realtimeOffset: realtimeOffset)
    }

    /// The C writer's constants, which are those that `EncoderContext` makes. They live as long as the program.
    static func jsonContext() -> bench_json {
        func constant(_ text: String) -> (UnsafePointer<CChar>, Int) { (UnsafePointer(strdup(text)), text.utf8.count) }
        var json = bench_json()
        (json.opening, json.opening_length) = constant(
            "\",\"ecs\":{\"version\":\"\(EncoderContext.ecsVersion)\"},\"agent\":{\"name\":\"hypervigil\",\"version\":\"\(version)\",\"id\":\"\(hostID)\"},"
                + "\"host\":{\"id\":\"\(hostID)\",\"name\":\"\(hostName)\",\"boot\":{\"id\":\"\(bootID)\"}},\"event\":{")
        (json.event_id, json.event_id_length) = constant("\"id\":\"\(bootID)-0123456789abcdef-")
        (json.entity_id, json.entity_id_length) = constant("\"entity_id\":\"\(bootID)-")
        json.realtime_offset = realtimeOffset
        let none = bench_date(day: .min, text: bench_date().text)
        json.dates = (none, none, none, none)
        return json
    }
}
