// Query i$t of one head, scaled, with nothing folded into it yet.
#for d N
    let q${t}_$d = qkv[own + i$t * 3u * width + ${d}u] * p.scale;
    var o${t}_$d = T_(0.0);
#end
    var top$t = -3.0e38;
    var sum$t = 0.0;
