import Events
import FilterLanguage
import KernelABI
import Rings
import Testing

@testable import Filters

@Suite("The compiled filter and the event's JSON")
struct AgreementTests {
    /// Random filters on random records: what the compiled filter says on the view is what the event says.
    @Test(arguments: 0..<8)
    func agree(_ seed: UInt64) throws {
        var records = RandomRecords(seed: seed)
        var held = 0, all = 0
        for _ in 0..<120 {
            let record = records.record()
            try records.withResolution { (resolution, generator) throws in
                let event = try parse(encode(record, resolution))
                for _ in 0..<20 {
                    let naive = Naive.random(event, depth: Int.random(in: 0...3, using: &generator), &generator)
                    let text = naive.text(&generator)
                    let expected = naive.holds(event)
                    let filter = try Filter(text: text)
                    let found = filter.passes(record: record.span.bytes, resolution)
                    if found != expected {
                        Issue.record("\(text): \(found) on the view, \(expected) in \(String(decoding: encode(record, resolution) ?? [], as: UTF8.self))")
                        return
                    }
                    all += 1
                    if found { held += 1 }
                }
            }
        }
        // Else this tests little.
        #expect(held > all / 5 && held < all * 4 / 5, "\(held) of \(all) hold")
    }

    /// Every leaf of every event is a field here, or one of those that are left out on purpose; and every field is in some event.
    @Test func fieldsAreThoseOfEvents() throws {
        let left: Set = [
            "@timestamp", "ecs.version", "agent.name", "agent.version", "agent.id", "host.id", "host.name", "host.boot.id", "event.id", "process.entity_id",
            "process.start", "process.end", "process.parent.entity_id", "hypervigil.process.forker.entity_id", "file.mtime", "hypervigil.monotonic",
            "hypervigil.write.first", "hypervigil.write.last", "hypervigil.change.truncated", "hypervigil.change.unreadable", "hypervigil.mount.truncated",
            "hypervigil.mount.unreadable",
        ]
        let names = Set(Field.table.map(\.name))
        var seen: Set<String> = []
        var records = RandomRecords(seed: 99)
        for _ in 0..<2500 {
            let record = records.record()
            try records.withResolution { resolution, _ in
                for leaf in try parse(encode(record, resolution)).leaves() { seen.insert(leaf.name) }
            }
        }
        #expect(seen.subtracting(names).subtracting(left).sorted() == [])
        // What attribution knows beside the records is tested by itself.
        let known = Set(FactField.allCases.map(\.rawValue)).subtracting(["process.executable", "process.args", "process.command_line"])
        #expect(names.subtracting(seen).subtracting(known).sorted() == [])
        #expect(names.count == Field.table.count)
    }

    /// Each test of a field alone on each record: presence, and the value itself.
    @Test func everyFieldByItsValue() throws {
        var records = RandomRecords(seed: 7)
        var tested: Set<String> = []
        for _ in 0..<1500 where tested.count < Field.table.count {
            let record = records.record()
            try records.withResolution { (resolution, generator) throws in
                let event = try parse(encode(record, resolution))
                for row in Field.table {
                    guard let value = event[row.name] else {
                        if generator.chance(1, in: 10) { #expect(try passes("not exists \(row.name)", record, resolution)) }
                        continue
                    }
                    guard tested.count < Field.table.count, generator.chance(1, in: 20) else { continue }
                    let text: String
                    switch (row.type, value) {
                    case (.boolean, .bool(let value)): text = "\(row.name) == \(value)"
                    case (.number, .number(let value)): text = "\(row.name) == \(value)"
                    case (.identifier, .string(let value)): text = "\(row.name) == \(value) and \(row.name) == \"\(value)\""
                    case (.string, .string(let value)): text = Naive.texts(row.name, "==", [Array(value.utf8)]).text(&generator)
                    case (.strings, .string(let value)): text = Naive.texts(row.name, "in", [[0], Array(value.utf8)]).text(&generator)
                    case (.strings, .array(let values)):
                        guard let last = values.last?.text else { continue }
                        text = Naive.texts(row.name, "==", [Array(last.utf8)]).text(&generator)
                    default:
                        Issue.record("\(row.name) is a \(row.type), its value \(value)")
                        return
                    }
                    // `in` with a word that the field never has is refused.
                    guard row.words == nil || !text.contains("\\x00") else { continue }
                    #expect(try passes(text, record, resolution), "\(text)")
                    #expect(try !passes("not (\(text))", record, resolution), "\(text)")
                    tested.insert(row.name)
                }
            }
        }
        #expect(tested.count > 110, "\(tested.count)")
    }
}
