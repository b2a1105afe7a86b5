import Testing

@testable import Probes

@Suite struct PreemptionTests {
    private static let debian = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-12)"

    @Test(arguments: [
        ("#1 SMP Debian 5.10.251-1 (2026-03-03)", nil, "", false),
        ("#1 SMP PREEMPT Debian", nil, "", true),
        ("#1 SMP PREEMPT_RT Debian", nil, "", true),
        ("#1 SMP PREEMPT_LAZY", nil, "", true),
        (debian, "none (voluntary) full \n", "", false),
        (debian, "(none) voluntary full \n", "Dynamic Preempt: full", false),
        (debian, "none voluntary (full) \n", "Dynamic Preempt: voluntary", true),
        (debian, "full (lazy) \n", "", true),
        (debian, nil, "<6>[    0.2] a\n<6>[    0.236471] Dynamic Preempt: voluntary\n<6>[    0.3] b", false),
        (debian, nil, "<6>[    0.236471] Dynamic Preempt: none\n", false),
        (debian, nil, "<6>[    0.236471] Dynamic Preempt: lazy\n", true),
        // The line has gone from the log: nothing is known.
        (debian, nil, "", true),
    ] as [(String, String?, String, Bool)])
    func isPossible(version: String, mode: String?, log: String, expected: Bool) {
        #expect(Preemption.isPossible(version: version, mode: mode, log: { log }) == expected)
    }
}
