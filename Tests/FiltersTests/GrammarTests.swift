import Events
import FilterLanguage
import Rings
import Testing

@testable import Filters

@Suite("The language")
struct GrammarTests {
    @Test(arguments: [
        ("process.pid == 1", "pid equal 1"),
        ("process.pid==1 and process.pid!=2", "(pid equal 1 and not pid equal 2)"),
        // and binds tighter than or, not tighter than both.
        ("process.pid == 1 or process.pid == 2 and process.pid == 3", "(pid equal 1 or (pid equal 2 and pid equal 3))"),
        ("process.pid == 1 and process.pid == 2 or process.pid == 3", "((pid equal 1 and pid equal 2) or pid equal 3)"),
        ("(process.pid == 1 or process.pid == 2) and process.pid == 3", "((pid equal 1 or pid equal 2) and pid equal 3)"),
        ("not process.pid == 1 and process.pid == 2", "(not pid equal 1 and pid equal 2)"),
        ("not (process.pid == 1 and process.pid == 2)", "not (pid equal 1 and pid equal 2)"),
        ("not not process.interactive", "not not interactive true"),
        ("process.interactive", "interactive true"),
        ("process.interactive and process.interactive == false", "(interactive true and interactive false)"),
        ("exists file.path or exists process.interactive", "(path exists or interactive exists)"),
        ("process.pid < 1 or process.pid <= 2 or process.pid > 3 or process.pid >= 4", "(pid less 1 or pid lessOrEqual 2 or pid greater 3 or pid greaterOrEqual 4)"),
        ("process.pid in [1, 2,3]", "pid in [1, 2, 3]"),
        ("user.id == 0 or user.id == \"0\" or user.id in [\"1\", 2]", "(id equal 0 or id equal 0 or id in [1, 2])"),
        ("process.name in [\"a\",\"b\"]", "name oneOf [\"a\", \"b\"]"),
        ("process.name not in [\"a\"] and process.name not contains \"b\"", "(not name oneOf [\"a\"] and not name contains b)"),
        ("file.path startswith \"/a\" and file.path endswith \"z\"", "(path startsWith /a and path endsWith z)"),
        ("\n\tprocess.args\r\ncontains\t\"x\"\n", "args contains x"),
        ("process.name == \"a\\\"b\\\\c\\n\\t\\r\\x41\"", "name equal a\"b\\c\n\t\rA"),
        ("process.name == \"日本\"", "name equal 日本"),
        ("process.name == \"\"", "name equal "),
        ("process.pid == 18446744073709551615", "pid equal 18446744073709551615"),
    ])
    func whatIsSaid(_ text: String, _ meaning: String) throws {
        #expect(try FilterExpression(text).condition.spelled == meaning)
    }

    @Test(arguments: [
        // Nothing, or half of something
        ("", "the filter is empty", 0, 1),
        ("   ", "the filter is empty", 3, 1),
        ("process.pid", "process.pid is a number", 0, 11),
        ("process.pid ==", "a number is missing", 14, 1),
        ("process.name ==", "a text is missing", 15, 1),
        ("process.pid == 1 and", "the filter ends", 20, 1),
        ("not", "the filter ends", 3, 1),
        ("exists", "the filter ends", 6, 1),
        // Signs
        ("process.pid = 1", "= is no sign", 12, 1),
        ("process.interactive && process.interactive", "&& is no sign", 20, 2),
        ("!process.interactive", "! is no sign", 0, 1),
        ("process.pid == -1", "a minus", 15, 1),
        ("process.name == 'a'", "a single quote", 16, 1),
        ("process.pid == 1 ü", "\"ü\" means nothing", 17, 1),
        ("process.pid == 1)", "a ) without its (", 16, 1),
        ("(process.pid == 1", "a parenthesis that does not close", 0, 1),
        ("process.pid in [1", "a list that does not close", 15, 1),
        ("process.pid in []", "an empty list", 15, 1),
        ("process.pid in [1 2]", "\"2\" in a list", 18, 1),
        ("process.pid in 1", "in has no list", 15, 1),
        ("process.pid == 1 process.pid == 2", "\"process.pid\" behind a condition", 17, 11),
        ("process.pid == 1 AND process.pid == 2", "\"AND\" stands where and or or has to", 17, 3),
        ("process.pid is 1", "\"is\" is no operator", 12, 2),
        ("process.pid [1]", "\"[\" stands where an operator has to", 12, 1),
        ("process.name not == \"a\"", "not has to stand before the field", 13, 3),
        ("and", "\"and\" stands where a field has to", 0, 3),
        ("\"a\" == process.name", "\"\"a\"\" stands where a field has to", 0, 3),
        // Names and values
        ("process.nam == \"a\"", "unknown field \"process.nam\"", 0, 11),
        ("event.action == \"writ\"", "event.action is never \"writ\"", 16, 6),
        ("event.action in [\"write\", \"x\"]", "event.action is never \"x\"", 26, 3),
        ("file.type != \"directory\"", "file.type is never \"directory\"", 13, 11),
        // Types
        ("process.pid == \"1\"", "process.pid is a number", 15, 3),
        ("process.name == 1", "process.name is a string, not a number", 16, 1),
        ("process.name == sshd", "process.name is compared with a text, and \"sshd\" is none", 16, 4),
        ("process.name < \"a\"", "process.name is a string, which has no order", 0, 14),
        ("process.pid contains \"1\"", "process.pid is a number, not a text", 0, 20),
        ("process.interactive == \"true\"", "process.interactive is a boolean", 23, 6),
        ("process.interactive contains \"t\"", "process.interactive is a boolean, not a text", 0, 28),
        ("process.interactive in [true]", "process.interactive is a boolean", 23, 1),
        ("user.id == \"root\"", "user.id is never \"root\"", 11, 6),
        ("user.id == \"01\"", "user.id is never \"01\"", 11, 4),
        ("user.id startswith \"1\"", "user.id is an identifier, not a text", 0, 18),
        ("process.args", "process.args is a list of strings", 0, 12),
        // Literals
        ("process.pid == 01", "\"01\" is no whole number", 15, 2),
        ("process.pid == 1k", "\"1k\" is no whole number", 15, 2),
        ("process.pid == 18446744073709551616", "\"18446744073709551616\" is too large", 15, 20),
        ("process.name == \"a", "a text that does not end", 16, 1),
        ("process.name == \"a\\", "a text that does not end", 18, 1),
        ("process.name == \"\\q\"", "\"\\q\" is no escape", 17, 2),
        ("process.name == \"\\x4\"", "\\x without two", 17, 2),
        ("process.name == \"\\xgg\"", "\\x without two", 17, 2),
        ("file.path matches \"a[b\"", "the pattern has a [ without its ]", 18, 5),
        ("file.path matches \"[z-a]\"", "a range of the pattern", 18, 7),
        ("file.path matches \"a\\\\\"", "the pattern ends with a backslash", 18, 5),
    ])
    func whatIsWrongAndWhere(_ text: String, _ message: String, _ column: Int, _ width: Int) throws {
        let error = try #require(complaint(text))
        #expect(error.message.hasPrefix(message), "\(error.lines)")
        #expect(!error.hint.isEmpty)
        #expect(error.lines.count == 3)
        #expect(error.lines[1] == text)
        #expect(error.lines[2] == String(repeating: " ", count: column) + String(repeating: "^", count: width), "\(error.lines)")
    }

    @Test(arguments: [
        ("process.nam", "process.name"), ("proces.pid", "process.pid"), ("path", "file.path"), ("comm_line", "process.command_line"),
        ("tenant.name", "hypervigil.tenant.name"), ("user.nam", "user.name"), ("file.paht", "file.path"), ("hypervigil.write.vai", "hypervigil.write.via"),
    ])
    func theNearestFieldIsNamed(_ wrong: String, _ right: String) {
        #expect(complaint("\(wrong) == 1")?.hint == "the nearest is \(right)")
    }

    @Test func theNearestWordIsNamed() {
        #expect(complaint("event.action == \"writ\"")?.hint == "the nearest is \"write\"")
        #expect(complaint("process.pid == 1 nad process.pid == 2")?.hint.hasPrefix("write and") == true)
        #expect(complaint("process.name startwith \"a\"")?.hint == "the nearest is startswith")
    }

    /// The caret counts columns, not bytes or characters; what would steer a terminal is shown as an escape.
    @Test(arguments: [
        ("process.name == \"日本\" and x == 1", "process.name == \"日本\" and x == 1", 27, 1),
        ("process.name == \"ä\u{301}\" and x == 1", "process.name == \"ä\u{301}\" and x == 1", 24, 1),
        ("process.name == \"😀\" and x == 1", "process.name == \"😀\" and x == 1", 25, 1),
        ("\tx == 1", "\\tx == 1", 2, 1),
        ("process.pid == 1 and\n x == 1", "process.pid == 1 and\\n x == 1", 23, 1),
        ("process.name == \"\u{1b}[2J\" and x == 1", "process.name == \"\\x1B[2J\" and x == 1", 30, 1),
        ("process.name == \"\u{202e}\" and x == 1", "process.name == \"\\u202E\" and x == 1", 29, 1),
        ("event.action == \"日\" and process.pid == 1", "event.action == \"日\" and process.pid == 1", 16, 4),
    ])
    func columns(_ text: String, _ shown: String, _ column: Int, _ width: Int) throws {
        let error = try #require(complaint(text))
        #expect(error.lines[1] == shown)
        #expect(error.lines[2] == String(repeating: " ", count: column) + String(repeating: "^", count: width), "\(error.lines)")
    }

    @Test func aLongFilterIsShownAroundThePlace() throws {
        let text = Array(repeating: "process.pid == 1 or ", count: 100).joined() + "nofield == 1" + Array(repeating: " or process.pid == 1", count: 100).joined()
        let error = try #require(complaint(text))
        let carets = error.lines[2]
        #expect(error.lines[1].count < 140)
        #expect(error.lines[1].hasPrefix("...") && error.lines[1].hasSuffix("..."))
        let from = carets.distance(from: carets.startIndex, to: carets.firstIndex(of: "^")!)
        #expect(error.lines[1].dropFirst(from).prefix(7) == "nofield")
        #expect(carets.count == from + 7)
    }

    @Test func limits() throws {
        let condition = "process.pid == 1"
        for depth in [64, 65, 5000] {
            for text in [
                String(repeating: "(", count: depth) + condition + String(repeating: ")", count: depth),
                String(repeating: "not ", count: depth) + condition,
                String(repeating: "not(", count: depth / 2) + condition + String(repeating: ")", count: depth / 2),
            ] {
                let result = Result { () throws(FilterError) in try FilterExpression(text) }
                switch result {
                case .success: #expect(depth <= 65)
                case .failure(let error):
                    #expect(depth > 64)
                    #expect(error.message.hasPrefix(text.utf8.count > 16384 ? "the filter has" : "nested deeper than 64"), "\(error)")
                }
            }
        }
        #expect(try FilterExpression(String(repeating: "(", count: 64) + condition + String(repeating: ")", count: 64)).condition.spelled == "pid equal 1")
        #expect(complaint(String(repeating: "(", count: 65) + condition + String(repeating: ")", count: 65)) != nil)
        // As long as it may be, and too long.
        let longest = Array(repeating: "exists file.path", count: 16384 / 20).joined(separator: " or ")
        _ = try Filter(text: longest)
        let tooLong = condition + String(repeating: " ", count: 16384)
        #expect(complaint(tooLong)?.message == "the filter has \(16384 + condition.utf8.count) bytes")
    }

    /// Any text gives a filter or an error that can be shown, and a filter can be run.
    @Test(arguments: 0..<4)
    func randomTexts(_ seed: UInt64) throws {
        var generator = SplitMix64(state: seed)
        let words =
            Field.table.map(\.name) + [
                "and", "or", "not", "in", "(", ")", "[", "]", ",", "==", "!=", "<", "<=", ">", ">=", "contains", "startswith", "endswith", "matches", "exists",
                "true", "false", "\"a\"", "\"*[a-z]?\"", "\"write\"", "1", "0", "\"\\xff\"", "\"1\"", "\t", "\n", "日",
            ]
        let record = Records.file()
        var accepted = 0
        for round in 0..<3000 {
            var text: String
            if round % 3 == 0 {
                text = String(decoding: (0..<Int.random(in: 0..<60, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }, as: UTF8.self)
            } else {
                text = (0..<Int.random(in: 1..<14, using: &generator)).map { _ in generator.pick(words) }.joined(separator: " ")
                if generator.chance(1, in: 2) {
                    // Something near a right one.
                    var bytes = Array("process.name == \"a\\x41\" and not (user.id in [0, \"1\"] or file.path matches \"/*[a-z]?\") or exists file.path".utf8)
                    for _ in 0..<Int.random(in: 0..<4, using: &generator) {
                        let place = Int.random(in: 0..<bytes.count, using: &generator)
                        if generator.chance(1, in: 2) { bytes.remove(at: place) } else { bytes[place] = UInt8.random(in: 0...127, using: &generator) }
                    }
                    text = String(decoding: bytes, as: UTF8.self)
                }
            }
            do {
                let filter = try Filter(text: text)
                _ = filter.passes(record: record.span.bytes, Resolution())
                accepted += 1
            } catch let error as FilterError {
                #expect(error.lines.count == 3)
                for line in error.lines { #expect(!line.unicodeScalars.contains { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) }) }
                #expect(error.range.upperBound <= text.utf8.count)
            }
        }
        #expect(accepted > 50)
    }
}
