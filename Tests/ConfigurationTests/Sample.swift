import Foundation

@testable import Configuration

/// The settings and errors of one file's text.
func loaded(_ yaml: String, file: String = "f.yaml") -> Loader {
    loaded(Array(yaml.utf8), file: file)
}

func loaded(_ bytes: [UInt8], file: String = "f.yaml") -> Loader {
    var loader = Loader()
    loader.merge(bytes, file: file)
    return loader
}

/// A directory with files, gone when `body` ends.
func withFiles<Result>(_ files: [String: String], _ body: (_ directory: String) throws -> Result) throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("configuration-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    for (name, text) in files {
        let path = "\(directory)/\(name)"
        try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }
    return try body(directory)
}

/// Numbers that are the same in every run (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
