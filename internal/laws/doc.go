// Package laws keeps the laws of the house: which package may import which,
// what may reach the network, where the process may be ended, what every
// package must say of itself. The laws are tests; each failure names the reason.
// ARCHITECTURE.md lists them for people. The package holds no code that runs in
// the program.
package laws
