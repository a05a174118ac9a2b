function n(e){return e?.messages.filter(t=>t.role==="user").at(-1)?.content??""}export{n as q};
