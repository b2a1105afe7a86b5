import KernelABI
import Rings
import Testing

@testable import Events

/// What an encoder knows of actors from earlier events must not show in later ones: each line is compared with that of an
/// encoder which has seen nothing.
@Suite("Actors that were seen before")
struct ActorCacheTests {
    /// An encoder that is used again and again.
    private final class Used {
        private var encoder: ECSEncoder

        init(offset: Int64 = Records.offset) { encoder = ECSEncoder(context: Records.context(), realtimeOffset: offset) }

        var offset: Int64 {
            get { encoder.realtimeOffset }
            set { encoder.realtimeOffset = newValue }
        }

        func line(_ record: [UInt8], _ resolution: Resolution = Resolution()) -> [UInt8]? {
            var writer = ByteWriter(capacity: 64)
            guard encoder.encode(record: record.span.bytes, resolution, into: &writer) else { return nil }
            return writer.withBytes { [UInt8]($0) }
        }

        func knows(_ file: [UInt8]) -> Bool {
            guard let view = FileView(file.span.bytes) else { return false }
            let actor = view.actor
            return encoder.actors.find(actor, encoder.actors.slot(actor), version: 0) != nil
        }
    }

    private static func fresh(_ record: [UInt8], offset: Int64 = Records.offset, _ resolution: Resolution = Resolution()) -> [UInt8]? {
        Used(offset: offset).line(record, resolution)
    }

    /// Each kind of record, by the same actor.
    private static func kinds(_ actor: hv_actor) -> [[UInt8]] {
        [
            Records.file(actor: actor), Records.exec(actor: actor), Records.exec(cgroup: [], actor: actor), Records.fork(actor: actor),
            Records.exit(actor: actor), Records.module(actor: actor), Records.file(HV_FILE_RENAME, flags: HV_FILE_PENDING, actor: actor),
        ]
    }

    private static func changed(_ change: (inout hv_actor) -> Void) -> hv_actor {
        var actor = Records.actor()
        change(&actor)
        return actor
    }

    /// Every field of hv_actor, with a value that shows.
    static let fields: [(name: String, actor: hv_actor)] = [
        ("start", changed { $0.start += 1 }), ("parent_start", changed { $0.parent_start += 1 }), ("cgroup", changed { $0.cgroup += 1 }),
        ("capabilities", changed { $0.capabilities = 0 }), ("pid", changed { $0.pid += 1 }), ("tid", changed { $0.tid += 1 }),
        ("parent_pid", changed { $0.parent_pid += 1 }), ("uid", changed { $0.uid += 1 }), ("gid", changed { $0.gid += 1 }),
        ("euid", changed { $0.euid += 1 }), ("egid", changed { $0.egid += 1 }), ("suid", changed { $0.suid += 1 }),
        ("sgid", changed { $0.sgid += 1 }), ("login_uid", changed { $0.login_uid = .max }), ("session", changed { $0.session = .max }),
        ("tty", changed { $0.tty = 0 }), ("task_flags", changed { $0.task_flags |= 4 }), ("ns_mount", changed { $0.ns_mount = 0 }),
        ("ns_pid", changed { $0.ns_pid += 1 }), ("ns_user", changed { $0.ns_user += 1 }), ("ns_network", changed { $0.ns_network += 1 }),
        ("ns_ipc", changed { $0.ns_ipc += 1 }), ("ns_uts", changed { $0.ns_uts += 1 }), ("ns_cgroup", changed { $0.ns_cgroup += 1 }),
        ("comm", changed { $0.comm.15 = 65 }), ("parent_comm", changed { $0.parent_comm.0 = 65 }),
    ].map { field in
        // Of a name, what stands behind its end does not count.
        var actor = field.1
        if field.0 == "comm" { withUnsafeMutableBytes(of: &actor.comm) { $0.copyBytes(from: Array("dash".utf8)) } }
        return (field.0, actor)
    }

    @Test(arguments: fields.indices)
    func everyField(_ index: Int) throws {
        for (before, after) in zip(Self.kinds(Records.actor()), Self.kinds(Self.fields[index].actor)) {
            let encoder = Used()
            let first = try #require(encoder.line(before))
            #expect(encoder.line(before) == first)
            let second = encoder.line(after)
            #expect(second == Self.fresh(after) && second != first, "\(Self.fields[index].name)")
            #expect(encoder.line(before) == first)
        }
    }

    /// Also what does not show, and bytes of no field that a test knows of.
    @Test func everyBit() {
        let encoder = Used()
        let start = MemoryLayout<hv_file>.offset(of: \.actor) ?? 0
        let original = Records.file()
        let expected = Self.fresh(original)
        for bit in 0..<MemoryLayout<hv_actor>.size * 8 {
            var record = original
            record[start + bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(encoder.line(original) == expected)
            if encoder.line(record) != Self.fresh(record) { Issue.record("bit \(bit)") }
        }
    }

    @Test func itIsUsed() {
        let encoder = Used()
        #expect(!encoder.knows(Records.file()))
        for record in Self.kinds(Records.actor()) {
            _ = encoder.line(record)
            #expect(encoder.knows(Records.file()))
        }
        encoder.offset += 0
        #expect(encoder.knows(Records.file()))
    }

    @Test(
        arguments: [
            [0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], Array("\"\\\n\u{1}".utf8), [UInt8](repeating: 1, count: 16),
            [UInt8](repeating: 0x80, count: 16), Array("é€😀".utf8), [],
        ] as [[UInt8]])
    func hostileNames(_ name: [UInt8]) throws {
        let encoder = Used()
        for actor in [Records.actor(name: name), Records.actor(parentName: name), Records.actor(name: name, parentName: name)] {
            for _ in 0..<2 {
                for record in Self.kinds(actor) + Self.kinds(Records.actor()) { #expect(encoder.line(record) == Self.fresh(record)) }
            }
        }
        // What is replaced is in `hypervigil.raw` of each event, not of the first alone.
        let replaced = String(validating: name, as: UTF8.self) == nil
        for _ in 0..<3 {
            let event = try parse(encoder.line(Records.file(actor: Records.actor(name: name))))
            #expect((event["hypervigil.raw.process.name"] != nil) == replaced)
        }
    }

    @Test func clockStep() throws {
        let encoder = Used()
        for offset in [0, 1, -1, 1_000_000_000, -3_600_000_000_000, 0] as [Int64] {
            encoder.offset = Records.offset + offset
            for record in Self.kinds(Records.actor()) { #expect(encoder.line(record) == Self.fresh(record, offset: Records.offset + offset)) }
        }
        encoder.offset += 1
        let event = try parse(encoder.line(Records.file()))
        #expect(event["process.start"]?.text == "2024-02-29T11:59:59.000000002Z")
    }

    /// More actors than there are slots, each several times, so that they push each other out.
    @Test func eviction() {
        let encoder = Used()
        let records = (0..<200).map { index in Records.file(actor: Self.changed { $0.pid += UInt32(index) * 7 }) }
        let expected = records.map { Self.fresh($0) }
        for round in 0..<3 {
            for index in records.indices {
                let at = round == 1 ? records.count - 1 - index : index
                #expect(encoder.line(records[at]) == expected[at])
                #expect(encoder.line(records[at]) == expected[at])
            }
        }
        let known = records.count { encoder.knows($0) }
        #expect(known > 20 && known <= 64)
    }

    /// Records of all kinds by a few actors that change a little now and then, under a clock that is stepped.
    @Test(arguments: 0..<4)
    func anyOrder(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let samples = Samples.records.map(\.bytes)
        let actor = MemoryLayout<hv_file>.offset(of: \.actor) ?? 0
        var actors = (0..<12).map { index in withUnsafeBytes(of: Self.changed { $0.pid += UInt32(index) }) { [UInt8]($0) } }
        let encoder = Used()
        var known = 0
        for _ in 0..<3000 {
            var record = samples[Int.random(in: 0..<samples.count, using: &generator)]
            let own = Int.random(in: 0..<actors.count, using: &generator)
            switch Int.random(in: 0..<12, using: &generator) {
            case 0: actors[own][Int.random(in: 0..<144, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            case 1: actors[own][Int.random(in: 112..<144, using: &generator)] = [0, 0x22, 0x80, 0xff].randomElement(using: &generator) ?? 0
            case 2: encoder.offset = Records.offset + Int64.random(in: -2...2, using: &generator) * 500_000_000
            default: break
            }
            record.replaceSubrange(actor..<actor + 144, with: actors[own])
            if encoder.knows(record) { known += 1 }
            var resolution = Resolution()
            resolution.ordinal = UInt32.random(in: 0...1, using: &generator)
            if encoder.line(record, resolution) != Self.fresh(record, offset: encoder.offset, resolution) { Issue.record("\(record)") }
        }
        // Else this tests nothing.
        #expect(known > 100)
    }
}
