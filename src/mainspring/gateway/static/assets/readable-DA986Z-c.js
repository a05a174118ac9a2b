function p(n,i=0){const e="  ".repeat(i);if(typeof n=="string")return n.includes(`
`)&&i>0?`
${n.split(`
`).map(t=>e+t).join(`
`)}`:n;if(n===null||typeof n!="object")return String(n);const o=Array.isArray(n)?n.map(t=>["-",t]):Object.entries(n).map(([t,r])=>[`${t}:`,r]);return o.length===0?Array.isArray(n)?"[]":"{}":o.map(([t,r])=>{const s=p(r,i+1),c=s.startsWith(`
`)||typeof r=="object"&&r!==null&&Object.keys(r).length>0;return`${e}${t}${c&&!s.startsWith(`
`)?`
`:s.startsWith(`
`)?"":" "}${s}`}).join(`
`)}function f(n){try{return JSON.parse(n)}catch{return n}}export{f as p,p as r};
