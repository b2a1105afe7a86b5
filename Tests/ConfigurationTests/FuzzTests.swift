import FilterLanguage
import Testing

@testable import Configuration

/// Whatever the bytes: settings, or an error with a place in the file; never a crash, never an endless run.
struct FuzzTests {
    private static let seeds = [
        Settings().yaml,
        "files:\n  watch: [/etc, \"/a\\tb\", '/c']\n  ignore:\n    - /x\nrings: {bulk_size: 8MiB, wake_at: 25}\n",
        "a: &a [1, *a]\n? {b: *a}\n: !!str |\n  text\n  more\n---\n%YAML 1.1\n...\n",
        "{? [a, b] : c, \"d\": >-\n folded\n}\n",
        "capture:\n  only: [exec]\nconsumer:\n  interval: 20ms\nlimits: {handles: 1}\n",
    ].map { Array($0.utf8) }
    private static let pieces = [
        "&a ", "*a", "!!binary ", "!<%ff>", "? ", ": ", "- ", "[", "]", "{", "}", ",", "|", ">", "\"", "'", "#", "%", "@", "`", "\t", "\r",
        "\n", "---", "...",
        "\u{FEFF}", "\u{85}", "\u{2028}", "\\x00", "\\ud800", "\0", "~", "0x", "99999999999999999999", "files:", "watch", "<<: ", "=",
    ].map { Array($0.utf8) }

    @Test(arguments: 0..<16)
    func mutatedFiles(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var good = 0
        var bad = 0
        for _ in 0..<200 {
            let bytes = Self.mutated(&random)
            let loader = loaded(bytes, file: "fuzz.yaml")
            let lines = bytes.count { $0 == 0x0A || $0 == 0x0D } + 2
            for error in loader.errors {
                #expect(error.file == "fuzz.yaml")
                // U+0085, U+2028 and U+2029 end a line too.
                #expect((1...(lines + bytes.count)).contains(error.line ?? 0), "\(bytes)")
                #expect((error.column ?? 0) >= 1, "\(bytes)")
                #expect(!error.message.isEmpty && !error.hint.isEmpty)
                #expect(!error.description.unicodeScalars.contains(where: mustEscape), "\(bytes)")
            }
            if loader.errors.isEmpty { good += 1 } else { bad += 1 }
            // What was taken passes the checks once more.
            if loader.errors.isEmpty { #expect(loaded(loader.settings.yaml).settings == loader.settings, "\(bytes)") }
        }
        // Mutations that never or always fail would test nothing.
        #expect(good > 5)
        #expect(bad > 50)
    }

    private static func mutated(_ random: inout SplitMix64) -> [UInt8] {
        var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(place + Int.random(in: 0...20, using: &random), bytes.count)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &random)], at: place)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            case 4: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: place)
            case 5 where bytes.count > 200: bytes.removeLast(bytes.count - place)
            default: break
            }
        }
        return bytes
    }
}
