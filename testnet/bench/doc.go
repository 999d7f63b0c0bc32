// Package bench measures holdfast on one machine: first the primitives that the data
// path is made of, then the shipped program itself against a network of real node
// processes, and it says how far the second is from what the first allow. It prints
// nothing and judges nothing but whether every byte came back. It stands on package
// testnet for the network, and on the packages of the data path for the primitives.
package bench
