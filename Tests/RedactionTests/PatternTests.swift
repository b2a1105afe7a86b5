import Redaction
import Testing

/// Expressions of the configuration.
struct PatternTests {
    private func rules(_ literal: String, _ regex: String) -> RedactionRules { RedactionRules(patterns: [.init(literal: literal, regex: regex)]) }

    @Test func groupOrWhole() throws {
        #expect(try masked(["a", "acct-12345678 acct-87654321", "12345678"], rules("acct-", "acct-([0-9]{8})")) == ["a", "acct-[redacted] acct-[redacted]", "12345678"])
        #expect(try masked(["ACCT_12"], rules("acct-", "(?i)acct.[0-9]+")) == ["[redacted]"])
        #expect(try masked(["a", "x12"], rules("acct-", "[0-9]+")) == ["a", "x12"])
        // A group that takes no part: the whole match.
        #expect(try masked(["key:b"], rules("key:", "key:(a)?b")) == ["[redacted]"])
        // Matches of nothing end.
        #expect(try masked(["key:b"], rules("key:", "x*")) == ["key:b"])
        #expect(try masked(["key:b"], rules("key:", "(?=b)")) == ["key:b"])
    }

    @Test func bytesThatAreNoText() throws {
        #expect(try masked([0x6b, 0x3a, 0xff, 0xfe, 0x41, 0], rules("k:", "k:(.+)A")).bytes == Array("k:[redacted]A\0".utf8))
    }

    @Test func whatTakesTooLongIsMaskedWhole() throws {
        let redactor = try Redactor(rules("aaaa", "^(a+)+$"))
        var scratch = RedactionScratch(redactor)
        let arguments = joined(["x", String(repeating: "a", count: 40) + "!", "y", String(repeating: "a", count: 50) + "!"])
        #expect(redactor.redact(arguments: arguments.span.bytes, into: &scratch) == 2)
        #expect(texts(copy(scratch.bytes)) == ["x", "[redacted]", "y", "[redacted]"])
        #expect(scratch.takeUnsettled() == 1)
        #expect(scratch.takeUnsettled() == 0)
        // The next record is tried again.
        let short = joined(["aaaa!"])
        #expect(redactor.redact(arguments: short.span.bytes, into: &scratch) == 0)
        #expect(scratch.takeUnsettled() == 0)
    }

    @Test func aCutMatchIsMaskedToTheEnd() throws {
        let whole = Array("magic<abcdefgh".utf8)
        #expect(try masked(whole, rules("magic", "magic<([^>]*)>")).bytes == Array("[redacted]".utf8))
        #expect(try masked(whole + [0], rules("magic", "magic<([^>]*)>")).bytes == whole + [0])
    }

    @Test func theNumberOfAttemptsIsLimited() throws {
        let many = joined(Array(repeating: "key:1", count: 2_000))
        let (bytes, count) = try masked(many, rules("key:", "key:([0-9])"))
        #expect(count == 2_000)
        #expect(!bytes.contains(UInt8(ascii: "1")))
        // The first ones were settled, the last ones not.
        #expect(texts(bytes).first == "key:[redacted]")
        #expect(texts(bytes).last == "[redacted]")
    }

    @Test(arguments: [("ab", "a(b", "offset 3"), ("ab", "[z-a]", "offset 3"), ("ab", "*", "offset 0"), ("ab", "", "empty"), ("ab", "\\C", "offset 2")])
    func badExpressions(literal: String, regex: String, message: String) {
        let error = #expect(throws: RedactionError.self) { try Redactor(rules(literal, regex)) }
        #expect(error?.rule == .regex(0))
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test(arguments: ["", "a", "a\0b"])
    func badLiterals(literal: String) {
        let error = #expect(throws: RedactionError.self) { try Redactor(RedactionRules(patterns: [.init(literal: "ok", regex: "ok"), .init(literal: literal, regex: "x")])) }
        #expect(error?.rule == .literal(1))
    }
}
