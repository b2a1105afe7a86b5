import Hashing
import Testing

private func hexadecimal(_ digest: SHA256Digest) -> String {
    digest.withBytes { bytes in
        bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
    }
}

/// FIPS 180-4's examples (csrc.nist.gov, Cryptographic Standards and Guidelines, Examples with Intermediate Values).
@Test(arguments: [
    ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    ([UInt8](repeating: 0x61, count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
])
func digestsOfTheStandard(_ bytes: [UInt8], _ expected: String) {
    bytes.withUnsafeBytes { #expect(hexadecimal(SHA256.of($0)) == expected) }
}

@Test func piecesGiveWhatTheWholeGives() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    bytes.withUnsafeBytes { bytes in
        for first in stride(from: 0, through: 1000, by: 37) {
            var hash = SHA256()
            hash.update(UnsafeRawBufferPointer(rebasing: bytes[..<first]))
            hash.update(UnsafeRawBufferPointer(rebasing: bytes[first..<first]))
            hash.update(UnsafeRawBufferPointer(rebasing: bytes[first...]))
            #expect(hash.finish() == SHA256.of(bytes))
        }
        let copy = SHA256.of(bytes).withBytes { SHA256Digest($0) }
        #expect(copy == SHA256.of(bytes) && copy != SHA256Digest())
    }
}
