// Package webpage knows what the small web pages of this program share: headers that
// keep a browser from asking anybody else for anything, a style sheet, a script that
// keeps a page up to date, and how sizes and times are written. It does not know what
// a page says. Pages are made on the server and work without the script.
package webpage
