internal import CLibcrypto

/// SHA-256 (FIPS 180-4), with the processor's own instructions where it has them. Allocates nothing.
package struct SHA256: ~Copyable {
    private var state = SHA256_CTX()

    package init() { SHA256_Init(&state) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        SHA256_Update(&state, start, bytes.count)
    }

    package consuming func finish() -> SHA256Digest {
        var digest = SHA256Digest()
        digest.withMutableBytes { _ = SHA256_Final($0, &state) }
        return digest
    }

    package static func of(_ bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }
}

/// The 32 bytes of a hash, as they are written: they lie in memory in that order.
package struct SHA256Digest: Hashable, Sendable, BitwiseCopyable {
    package static let size = 32
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    package init() {}

    /// - Precondition: 32 bytes.
    package init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.size)
        words = bytes.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self)
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(of: words, body) }

    fileprivate mutating func withMutableBytes(_ body: (UnsafeMutablePointer<UInt8>) -> Void) {
        withUnsafeMutableBytes(of: &words) { body($0.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)) }
    }

    package static func == (first: SHA256Digest, second: SHA256Digest) -> Bool { first.words == second.words }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}
